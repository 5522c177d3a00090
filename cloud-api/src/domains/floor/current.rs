//! `/sessions/current`: the stay that goes on.

use super::model::CurrentSession;
use super::store;
use crate::app::App;
use crate::domains::members;
use crate::http::{Caller, Json, Result};
use axum::extract::State;

/// Read the own stay that goes on, with its machines; null if there is none.
#[utoipa::path(get, path = "/sessions/current", tag = "sessions",
    security(("bearer" = ["read:workouts"])), responses(
    (status = 200, body = Option<CurrentSession>)))]
pub async fn read_current_session(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Option<CurrentSession>>> {
    let mut db = app.db.acquire().await?;
    let Some(member) = members::of_user(&mut db, caller.organization, caller.user).await? else {
        return Ok(Json(None));
    };
    let Some(open) = store::open(&mut db, member.id).await? else { return Ok(Json(None)) };
    let machines = store::machines(&mut db, member.id, open.started_at).await?;
    Ok(Json(Some(CurrentSession {
        id: open.id,
        branch_id: open.branch_id,
        started_at: open.started_at,
        duration_s: (app.clock.now() - open.started_at).whole_seconds().max(0),
        machines,
    })))
}
