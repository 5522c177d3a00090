//! `/machines/{id}/queue`: wait for a machine.

use super::ask::{admitted, ask};
use super::model::Queue;
use super::store;
use crate::app::App;
use crate::domains::branches::{self, Branch};
use crate::domains::members::{self, Member};
use crate::domains::sessions::Wanted;
use crate::http::{Caller, Error, Json, Path, Problem, Result};
use crate::ids::DeviceId;
use axum::extract::State;
use axum::http::StatusCode;
use sqlx::PgConnection;

/// Read how many wait for a machine, and the own place among them.
#[utoipa::path(get, path = "/machines/{id}/queue", tag = "machines",
    params(("id" = DeviceId, Path, description = "Id of the machine")),
    security(("bearer" = ["read:workouts"])), responses((status = 200, body = Queue)))]
pub async fn read_queue(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<DeviceId>,
) -> Result<Json<Queue>> {
    let mut db = app.db.acquire().await?;
    place(&mut db, &caller, id).await?;
    let member = members::of_user(&mut db, caller.organization, caller.user).await?;
    Ok(Json(store::queue(&mut db, id, member.map(|member| member.id)).await?))
}

/// Wait for a machine. Only who is inside waits.
#[utoipa::path(post, path = "/machines/{id}/queue", tag = "machines",
    params(("id" = DeviceId, Path, description = "Id of the machine")),
    security(("bearer" = ["write:workouts"])), responses(
    (status = 202, description = "the branch knows it, or will"),
    (status = 403, body = Problem, content_type = "application/problem+json",
     description = "`branch_not_allowed`, with the `reason` that a door would say"),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`not_inside`; `already_linked`; `machine_out_of_order`; `queue_full`; `not_a_member`"),
    (status = 503, body = Problem, content_type = "application/problem+json",
     description = "`branch_unavailable`")))]
pub async fn join_queue(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<DeviceId>,
) -> Result<StatusCode> {
    let (branch, member) = parties(&app, &caller, id).await?;
    ask(&app, &branch, Wanted::Enqueue { member: member.id, machine: id }).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Wait for a machine no more, or do without the one that is kept.
#[utoipa::path(delete, path = "/machines/{id}/queue", tag = "machines",
    params(("id" = DeviceId, Path, description = "Id of the machine")),
    security(("bearer" = ["write:workouts"])), responses(
    (status = 204),
    (status = 403, body = Problem, content_type = "application/problem+json",
     description = "`branch_not_allowed`, with the `reason` that a door would say"),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`not_a_member`"),
    (status = 503, body = Problem, content_type = "application/problem+json",
     description = "`branch_unavailable`")))]
pub async fn leave_queue(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<DeviceId>,
) -> Result<StatusCode> {
    let (branch, member) = parties(&app, &caller, id).await?;
    ask(&app, &branch, Wanted::Dequeue { member: member.id, machine: id }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn parties(app: &App, caller: &Caller, machine: DeviceId) -> Result<(Branch, Member)> {
    let mut db = app.db.acquire().await?;
    let branch = place(&mut db, caller, machine).await?;
    let member = admitted(app, &mut db, caller, &branch).await?;
    Ok((branch, member))
}

/// Where a machine is. For who neither works nor trains in the organization's branches it is not there.
async fn place(db: &mut PgConnection, caller: &Caller, machine: DeviceId) -> Result<Branch> {
    let id = store::branch_of(db, caller.organization, machine).await?.ok_or(Error::NotFound)?;
    let is_member = members::of_user(db, caller.organization, caller.user).await?.is_some();
    if !is_member && !caller.sees(caller.organization, id) {
        return Err(Error::NotFound);
    }
    branches::by_id(db, id).await?.ok_or(Error::NotFound)
}
