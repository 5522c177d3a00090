//! `/join-requests/{id}/decline`: not letting somebody join.

use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::http::{Caller, Origin, Path, Result};
use crate::ids::JoinRequestId;
use axum::extract::State;
use axum::http::StatusCode;

/// Do not let somebody join. They may ask again.
#[utoipa::path(post, path = "/join-requests/{id}/decline", tag = "branches",
    params(("id" = JoinRequestId, Path, description = "Id of the request")),
    security(("bearer" = ["write:members"])), responses((status = 204)))]
pub async fn decline_join_request(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<JoinRequestId>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let (user, _) = store::take(&mut tx, &caller, id).await?;
    let entry = Entry::asked("branch.join_declined", &caller, &origin).on(user);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
