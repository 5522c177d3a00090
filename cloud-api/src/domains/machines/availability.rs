//! `/machines/availability`: which machines are free right now. Read from memory, fed by the branches' edges.

use super::model::{Availability, Machine, Sort};
use super::store;
use crate::app::App;
use crate::domains::branches;
use crate::domains::devices::MachineType;
use crate::domains::edges;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Problem, Query, Result};
use crate::ids::{BranchId, DeviceId};
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use protocol::sync::entry::DeviceState;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;
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
    #[serde(rename = "type")]
    pub kind: MachineType,
    pub availability: Availability,
    /// What the machine last said of itself: `idle`, `in_use`, `paused`, `finished`, `out_of_order` or
    /// `offline`; null if it never did.
    #[schema(value_type = Option<String>, example = "in_use")]
    pub state: Option<DeviceState>,
    /// What is wrong, in the machine's own words.
    pub error: Option<String>,
    /// When it measured something last.
    #[serde(with = "time::serde::rfc3339::option")]
    pub sampled_at: Option<OffsetDateTime>,
    /// When its branch was heard last. Half a minute later its machines are `unknown`.
    #[serde(with = "time::serde::rfc3339::option")]
    pub heard_at: Option<OffsetDateTime>,
}

/// Tell which machines of the caller's branches are free right now.
#[utoipa::path(get, path = "/machines/availability", tag = "machines", params(AvailabilityQuery, PageQuery),
    security(("bearer" = ["read:machines"])), responses(
    (status = 200, body = AvailabilityPage),
    (status = 304, description = "the same as what `If-None-Match` names"),
    (status = 404, body = Problem, content_type = "application/problem+json",
     description = "`not_found`, also for branches that the caller does not work at")))]
pub async fn read_availability(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AvailabilityQuery>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let after: Option<(String, DeviceId)> = page.after()?;
    let mut db = app.db.acquire().await?;
    if let Some(branch) = query.branch_id {
        branches::visible(&mut db, &caller, branch).await?;
    }
    let wanted = store::Wanted {
        scope: caller.scope(),
        branch: query.branch_id,
        machine_type: None,
        sort: Sort::Name,
        after: None,
        rows: i64::MAX,
    };
    let machines = store::list(&mut db, wanted).await?;
    drop(db);
    edges::watch(&app, machines.iter().map(|machine| machine.branch_id)).await?;
    let mut machines: Vec<_> = machines.into_iter().map(|machine| tell(&app, machine)).collect();
    let mut counts = BTreeMap::new();
    for machine in &machines {
        *counts.entry(machine.availability).or_default() += 1;
    }
    // In the order of the comparison here, which is not that of every database.
    machines.sort_unstable_by_key(MachineAvailability::place);
    machines.retain(|machine| after.as_ref().is_none_or(|after| machine.place() > *after));
    let page = Page::cut(machines, &page, MachineAvailability::place);
    known.answer(&AvailabilityPage { page, counts })
}

/// Edges tell of their floor at least every few seconds.
const HEARD_FOR: time::Duration = time::Duration::seconds(30);

fn tell(app: &App, machine: Machine) -> MachineAvailability {
    let Machine { id, branch_id, code, name, kind, .. } = machine;
    let heard_at = app.live.branch(branch_id).map(|(at, _)| at);
    let is_heard = heard_at.is_some_and(|at| app.clock.now() - at <= HEARD_FOR);
    let live = app.live.device(branch_id, id);
    let state = live.as_ref().map(|live| live.state);
    let availability = Availability::of(state, is_heard);
    let sampled_at = live.as_ref().and_then(|live| live.sample.as_ref()).map(|(at, _)| *at);
    let error = live.and_then(|live| live.error);
    MachineAvailability {
        id,
        branch_id,
        code,
        name,
        kind,
        availability,
        state,
        error,
        sampled_at,
        heard_at,
    }
}

impl MachineAvailability {
    fn place(&self) -> (String, DeviceId) {
        (self.name.clone(), self.id)
    }
}
