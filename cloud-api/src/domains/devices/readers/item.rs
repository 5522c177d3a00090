//! `/admin/readers/{id}`: read, change, remove.

use super::model::{ReaderRecord, ReaderSetup};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::devices::{self, fixed};
use crate::http::{
    Caller, IfMatch, IfMatchHeader, IfNoneMatch, Json, Origin, Patch, Path, Problem, Result,
};
use crate::ids::DeviceId;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

/// Read all that is said of a reader.
#[utoipa::path(get, path = "/admin/readers/{id}", tag = "admin",
    params(("id" = DeviceId, Path, description = "Id of the reader")),
    security(("bearer" = ["read:machines"])), responses(
    (status = 200, body = ReaderRecord),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_reader(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<DeviceId>,
    known: IfNoneMatch,
) -> Result<Response> {
    known.answer(&super::visible(&mut *app.db.acquire().await?, &caller, id).await?)
}

/// Change what is said of a reader; what is left out stays, null clears. Its branch is told, and doors follow.
#[utoipa::path(patch, path = "/admin/readers/{id}", tag = "admin",
    params(("id" = DeviceId, Path, description = "Id of the reader"), IfMatchHeader),
    security(("bearer" = ["write:settings"])), request_body = ReaderSetup, responses(
    (status = 200, body = ReaderRecord),
    (status = 412, body = Problem, content_type = "application/problem+json",
     description = "`changed_meanwhile`: it is no longer what `If-Match` names")))]
pub async fn update_reader(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<DeviceId>,
    expected: IfMatch,
    patch: Patch<ReaderSetup>,
) -> Result<Json<ReaderRecord>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    devices::hold(&mut tx, id).await?;
    let before = super::visible(&mut tx, &caller, id).await?;
    expected.check(&before)?;
    let setup = patch.applied_to(&before.setup)?;
    fixed("code", setup.code == before.setup.code)?;
    fixed("branch_id", setup.branch_id == before.setup.branch_id)?;
    let after = super::change(&mut tx, id, &setup).await?;
    let entry = Entry::asked("reader.changed", &caller, &origin).on(id);
    audit::record(&mut tx, &entry.changed(&before, &after), now).await?;
    tx.commit().await?;
    Ok(Json(after))
}

/// Remove a reader. It logs in no more.
#[utoipa::path(delete, path = "/admin/readers/{id}", tag = "admin",
    params(("id" = DeviceId, Path, description = "Id of the reader")),
    security(("bearer" = ["write:settings"])), responses((status = 204)))]
pub async fn remove_reader(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<DeviceId>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let reader = super::visible(&mut tx, &caller, id).await?;
    devices::remove_device(&mut tx, reader.setup.branch_id, id, now).await?;
    let entry = Entry::asked("reader.removed", &caller, &origin).on(id);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
