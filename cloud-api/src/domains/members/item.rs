//! `/members/{id}`: read, change, remove.

use super::model::{Member, MemberDetails, Source};
use super::sight;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::http::{Caller, IfNoneMatch, Json, Origin, Patch, Path, Problem, Result};
use crate::ids::MemberId;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

/// Read one member.
#[utoipa::path(get, path = "/members/{id}", tag = "members",
    params(("id" = MemberId, Path, description = "Id of the member")),
    security(("bearer" = ["read:members"])), responses(
    (status = 200, body = Member),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_member(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<MemberId>,
    known: IfNoneMatch,
) -> Result<Response> {
    known.answer(&sight::member(&mut *app.db.acquire().await?, &caller, id).await?)
}

/// Change what a member is called; what is left out stays, null clears.
#[utoipa::path(patch, path = "/members/{id}", tag = "members",
    params(("id" = MemberId, Path, description = "Id of the member")),
    security(("bearer" = ["write:members"])), request_body = MemberDetails, responses(
    (status = 200, body = Member),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`reference_taken`")))]
pub async fn update_member(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<MemberId>,
    patch: Patch<MemberDetails>,
) -> Result<Json<Member>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let before = sight::member(&mut tx, &caller, id).await?;
    let named = patch.applied_to(&MemberDetails::of(&before))?.with_types(Source::Desk)?;
    let member = super::update(&mut tx, caller.organization, id, &named, now).await?;
    let entry = Entry::asked("member.changed", &caller, &origin).on(id).changed(&before, &member);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    Ok(Json(member))
}

/// Remove a member with their cards and phones. Their number is not given again.
#[utoipa::path(delete, path = "/members/{id}", tag = "members",
    params(("id" = MemberId, Path, description = "Id of the member")),
    security(("bearer" = ["write:members"])), responses(
    (status = 204),
    (status = 403, body = Problem, content_type = "application/problem+json",
     description = "they have a right at other branches too: only an admin may")))]
pub async fn remove_member(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<MemberId>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    sight::member(&mut tx, &caller, id).await?;
    for membership in super::memberships(&mut tx, id).await? {
        sight::may_change(&caller, membership.branch_ids.as_deref())?;
    }
    super::remove(&mut tx, caller.organization, id, now).await?;
    let entry = Entry::asked("member.removed", &caller, &origin).on(id);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
