//! `/machines/availability`: which machines of a branch are free right now. Read from memory, fed by the
//! branch's edge.

use super::model::{Availability, Machine, Sort};
use super::store;
use crate::app::App;
use crate::domains::branches;
use crate::domains::devices::MachineType;
use crate::domains::edges::LiveView;
use crate::http::{Caller, IfNoneMatch, Permission, Problem, Query, Result};
use crate::ids::{BranchId, DeviceId};
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

/// Which branch.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct AvailabilityQuery {
    /// The branch.
    #[garde(skip)]
    pub branch_id: BranchId,
}

/// The machines of a branch and whether they are free.
#[derive(Debug, Serialize, ToSchema)]
pub struct BranchAvailability {
    pub branch_id: BranchId,
    /// When the branch was heard last; null if never. Half a minute later all its machines are `unknown`.
    #[serde(with = "time::serde::rfc3339::option")]
    pub heard_at: Option<OffsetDateTime>,
    /// How many machines are what.
    #[schema(example = json!({"available": 31, "in_use": 9}))]
    pub counts: BTreeMap<Availability, usize>,
    /// By name.
    pub machines: Vec<MachineAvailability>,
}

/// Whether a machine is free.
#[derive(Debug, Serialize, ToSchema)]
pub struct MachineAvailability {
    pub id: DeviceId,
    #[schema(example = "treadmill-01")]
    pub code: String,
    #[schema(example = "Treadmill 1")]
    pub name: String,
    #[serde(rename = "type")]
    pub kind: MachineType,
    pub availability: Availability,
    /// What is wrong, in the machine's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it measured something last.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub sampled_at: Option<OffsetDateTime>,
}

/// Tell which machines of a branch are free right now.
#[utoipa::path(get, path = "/machines/availability", tag = "machines", params(AvailabilityQuery),
    security(("bearer" = ["machines.view"])), responses(
    (status = 200, body = BranchAvailability),
    (status = 304, description = "the same as what `If-None-Match` names"),
    (status = 404, body = Problem, content_type = "application/problem+json",
     description = "`not_found`, also for branches that the caller does not work at")))]
pub async fn read_availability(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AvailabilityQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    caller.may(Permission::ViewMachines)?;
    let mut db = app.db.acquire().await?;
    let branch = branches::visible(&mut db, &caller, query.branch_id).await?.id;
    let wanted = store::Wanted {
        scope: caller.scope(),
        branch: Some(branch),
        machine_type: None,
        sort: Sort::Name,
        after: None,
        rows: i64::MAX,
    };
    let machines = store::list(&mut db, wanted).await?;
    let heard_at = app.live.branch(branch).map(|(at, _)| at);
    let is_heard = heard_at.is_some_and(|at| app.clock.now() - at <= HEARD_FOR);
    let machines: Vec<_> = machines
        .into_iter()
        .map(|machine| tell(app.live.device(branch, machine.id), machine, is_heard))
        .collect();
    let mut counts = BTreeMap::new();
    for machine in &machines {
        *counts.entry(machine.availability).or_default() += 1;
    }
    known.answer(&BranchAvailability { branch_id: branch, heard_at, counts, machines })
}

/// Edges tell of their floor at least every few seconds.
const HEARD_FOR: time::Duration = time::Duration::seconds(30);

fn tell(live: Option<LiveView>, machine: Machine, is_heard: bool) -> MachineAvailability {
    let availability = Availability::of(live.as_ref().map(|live| live.state), is_heard);
    let Machine { id, code, name, kind, .. } = machine;
    let sampled_at = live.as_ref().and_then(|live| live.sample.as_ref()).map(|(at, _)| *at);
    let error = live.and_then(|live| live.error);
    MachineAvailability { id, code, name, kind, availability, error, sampled_at }
}
