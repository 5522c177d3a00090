//! `/join-requests/{id}/decline`: not letting somebody join.

use super::join::{self, Decision};
use crate::app::App;
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
    join::decide(&app, &caller, &origin, id, Decision::Declined).await
}
