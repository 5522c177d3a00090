//! `/members/{id}/block`: keeping somebody out everywhere.

use super::model::{Because, Member};
use super::sight;
use super::value::Reason;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::http::{Caller, Json, Origin, Path, Result, Valid, parse};
use crate::ids::MemberId;
use axum::extract::State;

/// Keep a member out of all branches. Doors are told at once.
#[utoipa::path(put, path = "/members/{id}/block", tag = "members",
    params(("id" = MemberId, Path, description = "Id of the member")),
    security(("bearer" = ["write:members"])), request_body = Because,
    responses((status = 200, body = Member)))]
pub async fn block_member(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<MemberId>,
    Valid(why): Valid<Because>,
) -> Result<Json<Member>> {
    let reason = parse("reason", &why.reason)?;
    set(&app, Entry::asked("member.blocked", &caller, &origin), &caller, id, Some(&reason)).await
}

/// Let a member in again, as far as their memberships do.
#[utoipa::path(delete, path = "/members/{id}/block", tag = "members",
    params(("id" = MemberId, Path, description = "Id of the member")),
    security(("bearer" = ["write:members"])), responses((status = 200, body = Member)))]
pub async fn unblock_member(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<MemberId>,
) -> Result<Json<Member>> {
    set(&app, Entry::asked("member.unblocked", &caller, &origin), &caller, id, None).await
}

async fn set(
    app: &App,
    entry: Entry<'_>,
    caller: &Caller,
    id: MemberId,
    reason: Option<&Reason>,
) -> Result<Json<Member>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    sight::member(&mut tx, caller, id).await?;
    let member = super::set_blocked(&mut tx, caller.organization, id, reason, now).await?;
    audit::record(&mut tx, &entry.on(id), now).await?;
    tx.commit().await?;
    Ok(Json(member))
}
