//! `/sessions/start`: come in by scanning the label at the entrance.

use super::ask::{admitted, ask};
use super::model::SessionAnswer;
use super::store;
use crate::app::App;
use crate::domains::accounts::plain_text;
use crate::domains::branches;
use crate::domains::sessions::Wanted;
use crate::domains::tags::{self, TagKind};
use crate::http::{Caller, Error, Json, Problem, Refusal, Result, Valid};
use crate::ids::BranchId;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

/// What was scanned.
#[derive(Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// What the label or sticker says.
    #[garde(length(bytes, min = 1, max = 64), custom(plain_text))]
    #[schema(min_length = 1, max_length = 64, example = "gt_5hQx0v3mT0eY7bqkX1dPag")]
    token: String,
    #[garde(skip)]
    #[schema(inline)]
    token_type: TagKind,
    /// Where the app believes to be; refused if the label hangs elsewhere.
    #[garde(skip)]
    branch_id: Option<BranchId>,
}

/// Come in. Somebody who is inside another branch moves.
///
/// The branch is asked. While it does not answer (201 with `requested`), the stay is recorded after ten seconds, and the
/// branch confirms or refuses it when it is back.
#[utoipa::path(post, path = "/sessions/start", tag = "sessions",
    security(("bearer" = ["write:workouts"])), request_body = Scan, responses(
    (status = 201, body = SessionAnswer),
    (status = 403, body = Problem, content_type = "application/problem+json",
     description = "`branch_not_allowed`, with the `reason` that a door would say"),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`session_active` with `session_id`: the caller is inside already; `not_a_member`"),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "`validation_failed`: `token` is of no entrance, or not of this branch"),
    (status = 503, body = Problem, content_type = "application/problem+json",
     description = "`branch_unavailable`")))]
pub async fn start_session(
    State(app): State<App>,
    caller: Caller,
    Valid(scan): Valid<Scan>,
) -> Result<(StatusCode, Json<SessionAnswer>)> {
    let mut db = app.db.acquire().await?;
    let tag = tags::by_token(&mut db, caller.organization, scan.token_type, &scan.token).await?;
    let tag = tag.filter(|tag| tag.machine_id.is_none()).ok_or_else(|| unknown("an entrance"))?;
    if scan.branch_id.is_some_and(|branch| branch != tag.branch_id) {
        return Err(unknown("this branch"));
    }
    let branch = branches::by_id(&mut db, tag.branch_id).await?.ok_or(Error::NotFound)?;
    let member = admitted(&app, &mut db, &caller, &branch).await?.id;
    let open = store::open(&mut db, member).await?;
    drop(db);
    if let Some(open) = open.filter(|open| open.branch_id == branch.id) {
        let id = open.id.to_string();
        return Err(Refusal::new(StatusCode::CONFLICT, "session_active")
            .with("session_id", id)
            .into());
    }
    let answered = ask(&app, &branch, Wanted::CheckIn { member }).await?;
    let (session_id, certainty) = (answered.id, answered.certainty);
    let answer = SessionAnswer { session_id, branch_id: branch.id, certainty };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// A label that is not what it should be.
pub fn unknown(what: &str) -> Error {
    let message = format!("is not of {what}");
    Error::Field { field: "token", code: "unknown", message }
}
