//! Machines of a scope with what becomes of them now, for who runs branches.

use super::model::{Availability, Machine, Sort};
use super::state::states;
use super::store;
use crate::app::App;
use crate::http::auth::Scope;
use crate::ids::BranchId;
use sqlx::PgConnection;

/// A machine, whether it is free, and what is wrong with it in its own words.
#[derive(Debug)]
pub struct MachineNow {
    pub machine: Machine,
    pub availability: Availability,
    pub error: Option<String>,
}

/// Those of one branch of the scope, or of all, by name.
pub async fn now(
    app: &App,
    db: &mut PgConnection,
    scope: Scope<'_>,
    branch: Option<BranchId>,
) -> sqlx::Result<Vec<MachineNow>> {
    let (sort, rows) = (Sort::Name, i64::MAX);
    let wanted = store::Wanted { scope, branch, machine_type: None, sort, after: None, rows };
    let machines = store::list(db, wanted).await?;
    let mut states = states(app, db, None, &machines).await?;
    let now = |machine: Machine| {
        let state = states.remove(&machine.id)?;
        Some(MachineNow { machine, availability: state.availability, error: state.error })
    };
    Ok(machines.into_iter().filter_map(now).collect())
}
