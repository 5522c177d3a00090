//! `/machines/{id}`: read.

use super::model::Machine;
use super::store;
use crate::app::App;
use crate::http::{Caller, Error, IfNoneMatch, Path, Problem, Result};
use crate::ids::DeviceId;
use axum::extract::State;
use axum::response::Response;

/// Read one machine.
#[utoipa::path(get, path = "/machines/{id}", tag = "machines",
    params(("id" = DeviceId, Path, description = "Id of the machine")),
    security(("bearer" = ["read:machines"])), responses(
    (status = 200, body = Machine),
    (status = 304, description = "the same as what `If-None-Match` names"),
    (status = 404, body = Problem, content_type = "application/problem+json",
     description = "`not_found`, also for machines of branches that the caller does not work at")))]
pub async fn read_machine(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<DeviceId>,
    known: IfNoneMatch,
) -> Result<Response> {
    let found = store::by_id(&mut *app.db.acquire().await?, caller.scope(), id).await?;
    known.answer(&found.ok_or(Error::NotFound)?)
}
