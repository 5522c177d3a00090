//! `/admin/machines/{id}/secret`: another secret.

use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::devices::{self, NewSecret};
use crate::http::{Caller, Json, Origin, Path, Result};
use crate::ids::DeviceId;
use axum::extract::State;
use axum::http::StatusCode;

/// Give a machine another secret, e.g. since the former one was seen. The former one counts no more at once in the cloud
/// and as soon as the branch is heard there.
#[utoipa::path(post, path = "/admin/machines/{id}/secret", tag = "machines",
    params(("id" = DeviceId, Path, description = "Id of the machine")),
    security(("bearer" = ["write:settings"])), responses((status = 201, body = NewSecret)))]
pub async fn replace_machine_secret(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<DeviceId>,
) -> Result<(StatusCode, Json<NewSecret>)> {
    let mut tx = app.db.begin().await?;
    let machine = super::visible(&mut tx, &caller, id).await?;
    let secret = devices::rotate(&mut tx, machine.setup.branch_id, id).await?;
    let entry = Entry::asked("machine.secret_replaced", &caller, &origin).on(id);
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(secret.into())))
}
