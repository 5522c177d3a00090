//! `/machines/link` and `/machines/unlink`: take a machine by scanning its label, and give it back.

use super::ask::{admitted, ask};
use super::model::LinkAnswer;
use super::start::unknown;
use super::store;
use crate::app::App;
use crate::domains::accounts::plain_text;
use crate::domains::branches;
use crate::domains::sessions::Wanted;
use crate::domains::tags::{self, TagKind};
use crate::domains::{machines, members};
use crate::http::{Caller, Error, Json, Problem, Result, Valid};
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

/// What was scanned on a machine.
#[derive(Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct MachineScan {
    /// What the label or sticker says.
    #[garde(length(bytes, min = 1, max = 64), custom(plain_text))]
    #[schema(min_length = 1, max_length = 64, example = "gt_5hQx0v3mT0eY7bqkX1dPag")]
    token: String,
    #[garde(skip)]
    #[schema(inline)]
    method: TagKind,
}

/// Take a machine. Who takes one is inside its branch; a machine that the caller had before is given back.
#[utoipa::path(post, path = "/machines/link", tag = "machines",
    security(("bearer" = ["write:workouts"])), request_body = MachineScan, responses(
    (status = 201, body = LinkAnswer),
    (status = 403, body = Problem, content_type = "application/problem+json",
     description = "`branch_not_allowed`, with the `reason` that a door would say"),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`machine_taken`; `machine_kept` for the first who waits; `machine_out_of_order`; `not_a_member`"),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "`validation_failed`: `token` is of no machine"),
    (status = 503, body = Problem, content_type = "application/problem+json",
     description = "`branch_unavailable`")))]
pub async fn link_machine(
    State(app): State<App>,
    caller: Caller,
    Valid(scan): Valid<MachineScan>,
) -> Result<(StatusCode, Json<LinkAnswer>)> {
    let mut db = app.db.acquire().await?;
    let tag = tags::by_token(&mut db, caller.organization, scan.method, &scan.token).await?;
    let place = tag.and_then(|tag| Some((tag.branch_id, tag.machine_id?)));
    let (branch_id, machine_id) = place.ok_or_else(|| unknown("a machine"))?;
    let branch = branches::by_id(&mut db, branch_id).await?.ok_or(Error::NotFound)?;
    let member = admitted(&app, &mut db, &caller, &branch).await?.id;
    // The branch would say the same, but it may be silent.
    if machines::is_out_of_use(&mut db, machine_id).await? {
        return Err(Error::Conflict("machine_out_of_order"));
    }
    drop(db);
    let answered = ask(&app, &branch, Wanted::Link { member, machine: machine_id }).await?;
    let (link_id, certainty) = (answered.id, answered.certainty);
    Ok((StatusCode::CREATED, Json(LinkAnswer { link_id, machine_id, branch_id, certainty })))
}

/// Give back the machine that the caller has.
#[utoipa::path(post, path = "/machines/unlink", tag = "machines",
    security(("bearer" = ["write:workouts"])), responses(
    (status = 200, body = LinkAnswer),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`not_linked`; `not_a_member`"),
    (status = 503, body = Problem, content_type = "application/problem+json",
     description = "`branch_unavailable`")))]
pub async fn unlink_machine(State(app): State<App>, caller: Caller) -> Result<Json<LinkAnswer>> {
    let mut db = app.db.acquire().await?;
    let member = members::of_caller(&mut db, &caller).await?.id;
    let lent = store::lent(&mut db, member).await?.ok_or(Error::Conflict("not_linked"))?;
    let branch = branches::by_id(&mut db, lent.branch_id).await?.ok_or(Error::NotFound)?;
    drop(db);
    let (link_id, machine_id) = (lent.id, lent.machine_id);
    let answered =
        ask(&app, &branch, Wanted::Unlink { machine: machine_id, link: link_id }).await?;
    let certainty = answered.certainty;
    Ok(Json(LinkAnswer { link_id, machine_id, branch_id: branch.id, certainty }))
}
