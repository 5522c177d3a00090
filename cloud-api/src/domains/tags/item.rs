//! `/admin/tags/{id}`: revoke.

use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::http::{Caller, Error, Origin, Path, Result};
use crate::ids::TagId;
use axum::extract::State;
use axum::http::StatusCode;

/// Revoke a label or sticker, e.g. since it was copied. It is worth nothing from now on.
#[utoipa::path(delete, path = "/admin/tags/{id}", tag = "machines",
    params(("id" = TagId, Path, description = "Id of the tag")),
    security(("bearer" = ["write:machines"])), responses((status = 204)))]
pub async fn revoke_tag(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<TagId>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let tag = store::by_id(&mut tx, caller.scope(), id).await?.ok_or(Error::NotFound)?;
    store::revoke(&mut tx, tag.id, now).await?;
    let entry = Entry::asked("tag.revoked", &caller, &origin).on(tag.id);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
