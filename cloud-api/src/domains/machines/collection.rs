//! `/machines`: list.

use super::model::{Machine, Sort};
use super::sight::Sight;
use super::store;
use crate::app::App;
use crate::domains::devices::MachineType;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Query, Result};
use crate::ids::BranchId;
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which machines, in which order.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct MachineFilter {
    /// Of this branch only.
    #[garde(skip)]
    pub branch_id: Option<BranchId>,
    /// Of this type only.
    #[garde(skip)]
    #[serde(rename = "type")]
    #[param(inline)]
    pub machine_type: Option<MachineType>,
    /// By name (the default) or code; with a minus sign from the end.
    #[garde(skip)]
    #[serde(default)]
    #[param(inline, required = false)]
    pub sort: Sort,
}

/// List the machines of branches where the caller may train or works.
#[utoipa::path(get, path = "/machines", tag = "machines", params(MachineFilter, PageQuery),
    security(("bearer" = ["read:workouts"])), responses(
    (status = 200, body = Page<Machine>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_machines(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<MachineFilter>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    let sight = Sight::of(&mut db, &caller, app.clock.now()).await?;
    if let Some(branch) = filter.branch_id {
        sight.check(&mut db, branch).await?;
    }
    let wanted = store::Wanted {
        scope: sight.scope(),
        branch: filter.branch_id,
        machine_type: filter.machine_type,
        sort: filter.sort,
        after: page.after()?,
        rows: page.rows(),
    };
    let machines = store::list(&mut db, wanted).await?;
    known.answer(&Page::cut(machines, &page, |machine| filter.sort.place(machine)))
}
