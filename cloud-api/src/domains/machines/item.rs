//! `/machines/{id}`: read.

use super::model::Machine;
use super::sight::Sight;
use super::state::{MachineState, states};
use super::store;
use crate::app::App;
use crate::http::{Caller, Error, IfNoneMatch, Path, Problem, Result};
use crate::ids::DeviceId;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

/// A machine, and whether it is free now.
#[derive(Debug, Serialize, ToSchema)]
pub struct MachineNow {
    #[serde(flatten)]
    machine: Machine,
    #[serde(flatten)]
    state: MachineState,
}

/// Read one machine: what it is, whether it is free, and who waits.
#[utoipa::path(get, path = "/machines/{id}", tag = "machines",
    params(("id" = DeviceId, Path, description = "Id of the machine")),
    security(("bearer" = ["read:workouts"])), responses(
    (status = 200, body = MachineNow),
    (status = 304, description = "the same as what `If-None-Match` names"),
    (status = 404, body = Problem, content_type = "application/problem+json",
     description = "`not_found`, also for machines of branches where the caller neither trains nor works")))]
pub async fn read_machine(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<DeviceId>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    let sight = Sight::of(&mut db, &caller, app.clock.now()).await?;
    let machine = store::by_id(&mut db, sight.scope(), id).await?.ok_or(Error::NotFound)?;
    let mut states = states(&app, &mut db, sight.member, std::slice::from_ref(&machine)).await?;
    let state = states.remove(&id).ok_or(Error::NotFound)?;
    known.answer(&MachineNow { machine, state })
}
