//! Machines of a scope with what becomes of them now, for who runs branches.

use super::model::{Availability, Machine, Sort};
use super::store;
use crate::app::App;
use crate::domains::edges::HEARD_FOR;
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
    Ok(machines.into_iter().map(|machine| tell(app, machine)).collect())
}

fn tell(app: &App, machine: Machine) -> MachineNow {
    let live = app.live.device(machine.branch_id, machine.id);
    let heard_at = app.live.branch(machine.branch_id).map(|(at, _)| at);
    let is_heard = heard_at.is_some_and(|at| app.clock.now() - at <= HEARD_FOR);
    let availability = Availability::of(live.as_ref().map(|live| live.state), is_heard);
    MachineNow { machine, availability, error: live.and_then(|live| live.error) }
}
