//! `/sessions/end`: leave.

use super::ask::ask;
use super::model::SessionAnswer;
use super::store;
use crate::app::App;
use crate::domains::branches;
use crate::domains::members;
use crate::domains::sessions::Wanted;
use crate::http::{Caller, Error, Json, Problem, Result};
use axum::extract::State;

/// Leave. The machine that the caller has is given back.
#[utoipa::path(post, path = "/sessions/end", tag = "sessions",
    security(("bearer" = ["write:workouts"])), responses(
    (status = 200, body = SessionAnswer),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`not_inside`; `not_a_member`"),
    (status = 503, body = Problem, content_type = "application/problem+json",
     description = "`branch_unavailable`")))]
pub async fn end_session(State(app): State<App>, caller: Caller) -> Result<Json<SessionAnswer>> {
    let mut db = app.db.acquire().await?;
    let member = members::of_caller(&mut db, &caller).await?.id;
    let open = store::open(&mut db, member).await?.ok_or(Error::Conflict("not_inside"))?;
    let branch = branches::by_id(&mut db, open.branch_id).await?.ok_or(Error::NotFound)?;
    drop(db);
    let answered = ask(&app, &branch, Wanted::CheckOut { member, session: open.id }).await?;
    let (session_id, certainty) = (open.id, answered.certainty);
    Ok(Json(SessionAnswer { session_id, branch_id: branch.id, certainty }))
}
