//! `/join-requests/{id}/approve`: letting somebody join.

use super::{join, store};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::http::{Caller, Origin, Path, Result};
use crate::ids::JoinRequestId;
use axum::extract::State;
use axum::http::StatusCode;

/// Let somebody join. Doors are told at once.
#[utoipa::path(post, path = "/join-requests/{id}/approve", tag = "branches",
    params(("id" = JoinRequestId, Path, description = "Id of the request")),
    security(("bearer" = ["write:members"])), responses((status = 204)))]
pub async fn approve_join_request(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<JoinRequestId>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let (user, branch) = store::take(&mut tx, &caller, id).await?;
    join::admit(&mut tx, caller.organization, user, branch, now).await?;
    let entry = Entry::asked("branch.join_approved", &caller, &origin).on(user);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
