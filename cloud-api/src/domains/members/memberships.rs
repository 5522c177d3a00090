//! `/members/{id}/memberships`: list and create.

use super::model::{Membership, Source, Terms};
use super::sight;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::http::{
    Caller, IdempotencyKey, IfNoneMatch, Json, Once, Origin, Page, Path, Problem, Result, Valid,
};
use crate::ids::MemberId;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

/// List the memberships of a member, those that last longest first. There are 16 at most, on one page.
#[utoipa::path(get, path = "/members/{id}/memberships", tag = "members",
    params(("id" = MemberId, Path, description = "Id of the member")),
    security(("bearer" = ["read:members"])), responses(
    (status = 200, body = Page<Membership>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_memberships(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<MemberId>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    sight::member(&mut db, &caller, id).await?;
    known.answer(&Page::whole(super::memberships(&mut db, id).await?))
}

/// Give a member a right to use branches. Doors are told at once.
#[utoipa::path(post, path = "/members/{id}/memberships", tag = "members",
    params(("id" = MemberId, Path, description = "Id of the member"), IdempotencyKey),
    security(("bearer" = ["write:members"])), request_body = Terms, responses(
    (status = 201, body = Membership),
    (status = 403, body = Problem, content_type = "application/problem+json",
     description = "not only branches that the caller works at: only an admin may"),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`too_many_memberships`")))]
pub async fn create_membership(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<MemberId>,
    once: Once,
    Valid(terms): Valid<Terms>,
) -> Result<(StatusCode, Json<Membership>)> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    sight::member(&mut tx, &caller, id).await?;
    sight::may_give(&caller, &terms)?;
    let (organization, source) = (caller.organization, Source::Desk);
    let made = super::add_membership(&mut tx, organization, id, &terms, source, now).await?;
    let entry = Entry::asked("membership.created", &caller, &origin).on(made.id);
    audit::record(&mut tx, &entry, now).await?;
    once.commit(tx).await?;
    Ok((StatusCode::CREATED, Json(made)))
}
