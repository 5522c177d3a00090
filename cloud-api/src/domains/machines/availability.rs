//! `/machines/availability`: which machines are free right now. Read from memory, fed by the branches' edges.

use super::model::{Availability, Machine, Sort};
use super::sight::Sight;
use super::state::{MachineState, states};
use super::store;
use crate::app::App;
use crate::domains::devices::MachineType;
use crate::domains::edges;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Problem, Query, Result};
use crate::ids::{BranchId, DeviceId};
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use utoipa::{IntoParams, ToSchema};

/// Which branch.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct AvailabilityQuery {
    /// Of this branch only; left out: of all branches of the caller.
    #[garde(skip)]
    pub branch_id: Option<BranchId>,
}

/// Machines by name, and whether they are free.
#[derive(Debug, Serialize, ToSchema)]
pub struct AvailabilityPage {
    #[serde(flatten)]
    page: Page<MachineAvailability>,
    /// How many machines are what, on all pages.
    #[schema(example = json!({"available": 31, "in_use": 9}))]
    counts: BTreeMap<Availability, usize>,
}

/// Whether a machine is free.
#[derive(Debug, Serialize, ToSchema)]
pub struct MachineAvailability {
    pub id: DeviceId,
    pub branch_id: BranchId,
    #[schema(example = "treadmill-01")]
    pub code: String,
    #[schema(example = "Treadmill 1")]
    pub name: String,
    /// As painted on the machine.
    #[schema(example = "12")]
    pub number: Option<String>,
    #[serde(rename = "type")]
    pub kind: MachineType,
    #[serde(flatten)]
    pub state: MachineState,
}

/// Tell which machines are free right now, at branches where the caller may train or works.
#[utoipa::path(get, path = "/machines/availability", tag = "machines", params(AvailabilityQuery, PageQuery),
    security(("bearer" = ["read:workouts"])), responses(
    (status = 200, body = AvailabilityPage),
    (status = 304, description = "the same as what `If-None-Match` names"),
    (status = 404, body = Problem, content_type = "application/problem+json",
     description = "`not_found`, also for branches where the caller neither trains nor works")))]
pub async fn read_availability(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AvailabilityQuery>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let after: Option<(String, DeviceId)> = page.after()?;
    let mut db = app.db.acquire().await?;
    let sight = Sight::of(&mut db, &caller, app.clock.now()).await?;
    if let Some(branch) = query.branch_id {
        sight.check(&mut db, branch).await?;
    }
    let wanted = store::Wanted {
        scope: sight.scope(),
        branch: query.branch_id,
        machine_type: None,
        sort: Sort::Name,
        after: None,
        rows: i64::MAX,
    };
    let machines = store::list(&mut db, wanted).await?;
    let mut states = states(&app, &mut db, sight.member, &machines).await?;
    drop(db);
    edges::watch(&app, machines.iter().map(|machine| machine.branch_id)).await?;
    let tell = |machine| MachineAvailability::of(machine, &mut states);
    let mut machines: Vec<_> = machines.into_iter().filter_map(tell).collect();
    let mut counts = BTreeMap::new();
    for machine in &machines {
        *counts.entry(machine.state.availability).or_default() += 1;
    }
    // In the order of the comparison here, which is not that of every database.
    machines.sort_unstable_by_key(MachineAvailability::place);
    machines.retain(|machine| after.as_ref().is_none_or(|after| machine.place() > *after));
    let page = Page::cut(machines, &page, MachineAvailability::place);
    known.answer(&AvailabilityPage { page, counts })
}

impl MachineAvailability {
    fn of(machine: Machine, states: &mut HashMap<DeviceId, MachineState>) -> Option<Self> {
        let state = states.remove(&machine.id)?;
        let Machine { id, branch_id, code, name, number, kind, .. } = machine;
        Some(Self { id, branch_id, code, name, number, kind, state })
    }

    fn place(&self) -> (String, DeviceId) {
        (self.name.clone(), self.id)
    }
}
