//! `/admin/machines/{id}`: read, change, retire.

use super::model::{MachineRecord, MachineSetup};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::devices::fixed;
use crate::http::{
    Caller, IfMatch, IfMatchHeader, IfNoneMatch, Json, Origin, Patch, Path, Problem, Result,
};
use crate::ids::DeviceId;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

/// Read all that is said of a machine.
#[utoipa::path(get, path = "/admin/machines/{id}", tag = "machines",
    params(("id" = DeviceId, Path, description = "Id of the machine")),
    security(("bearer" = ["read:machines"])), responses(
    (status = 200, body = MachineRecord),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_machine_record(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<DeviceId>,
    known: IfNoneMatch,
) -> Result<Response> {
    known.answer(&super::visible(&mut *app.db.acquire().await?, &caller, id).await?)
}

/// Change what is said of a machine; what is left out stays, null clears. Its branch is told.
#[utoipa::path(patch, path = "/admin/machines/{id}", tag = "machines",
    params(("id" = DeviceId, Path, description = "Id of the machine"), IfMatchHeader),
    security(("bearer" = ["write:settings"])), request_body = MachineSetup, responses(
    (status = 200, body = MachineRecord),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`number_taken`: another machine of the branch has it"),
    (status = 412, body = Problem, content_type = "application/problem+json",
     description = "`changed_meanwhile`: it is no longer what `If-Match` names")))]
pub async fn update_machine(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<DeviceId>,
    expected: IfMatch,
    patch: Patch<MachineSetup>,
) -> Result<Json<MachineRecord>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    crate::domains::devices::hold(&mut tx, id).await?;
    let before = super::visible(&mut tx, &caller, id).await?;
    expected.check(&before)?;
    let setup = patch.applied_to(&before.setup)?;
    fixed("code", setup.code == before.setup.code)?;
    fixed("branch_id", setup.branch_id == before.setup.branch_id)?;
    let after = super::change(&mut tx, id, &setup).await?;
    let entry = Entry::asked("machine.changed", &caller, &origin).on(id);
    audit::record(&mut tx, &entry.changed(&before, &after), now).await?;
    tx.commit().await?;
    Ok(Json(after))
}

/// Retire a machine: it logs in no more, and whoever has it gives it back. What was trained on it stays.
#[utoipa::path(delete, path = "/admin/machines/{id}", tag = "machines",
    params(("id" = DeviceId, Path, description = "Id of the machine"), IfMatchHeader),
    security(("bearer" = ["write:settings"])), responses(
    (status = 204),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`reader_on_machine`: a reader is on it, which would be one at a door without it"),
    (status = 412, body = Problem, content_type = "application/problem+json",
     description = "`changed_meanwhile`: it is no longer what `If-Match` names")))]
pub async fn remove_machine(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<DeviceId>,
    expected: IfMatch,
) -> Result<StatusCode> {
    let mut tx = app.db.begin().await?;
    crate::domains::devices::hold(&mut tx, id).await?;
    let machine = super::visible(&mut tx, &caller, id).await?;
    expected.check(&machine)?;
    super::retire(&mut tx, &machine, &app.clock).await?;
    let entry = Entry::asked("machine.retired", &caller, &origin).on(id);
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
