//! `/admin/readers/{id}/secret`: another secret.

use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::devices::{self, NewSecret};
use crate::http::{Caller, Json, Origin, Path, Result};
use crate::ids::DeviceId;
use axum::extract::State;
use axum::http::StatusCode;

/// Give a reader another secret. The former one counts no more as soon as the branch is told.
#[utoipa::path(post, path = "/admin/readers/{id}/secret", tag = "admin",
    params(("id" = DeviceId, Path, description = "Id of the reader")),
    security(("bearer" = ["write:settings"])), responses((status = 201, body = NewSecret)))]
pub async fn replace_reader_secret(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<DeviceId>,
) -> Result<(StatusCode, Json<NewSecret>)> {
    let mut tx = app.db.begin().await?;
    let reader = super::visible(&mut tx, &caller, id).await?;
    let secret = devices::rotate(&mut tx, reader.setup.branch_id, id).await?;
    let entry = Entry::asked("reader.secret_replaced", &caller, &origin).on(id);
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(secret.into())))
}
