//! `/memberships/{id}/freeze`: pausing a membership.

use super::model::{Because, Membership};
use super::value::Reason;
use super::{rights, sight};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::http::{Caller, Json, Origin, Path, Result, Valid, parse};
use crate::ids::MembershipId;
use axum::extract::State;

/// Pause a membership. Doors are told at once.
#[utoipa::path(put, path = "/memberships/{id}/freeze", tag = "members",
    params(("id" = MembershipId, Path, description = "Id of the membership")),
    security(("bearer" = ["write:members"])), request_body = Because,
    responses((status = 200, body = Membership)))]
pub async fn freeze_membership(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<MembershipId>,
    Valid(why): Valid<Because>,
) -> Result<Json<Membership>> {
    let reason = parse("reason", &why.reason)?;
    set(&app, Entry::asked("membership.frozen", &caller, &origin), &caller, id, Some(&reason)).await
}

/// Let a membership go on.
#[utoipa::path(delete, path = "/memberships/{id}/freeze", tag = "members",
    params(("id" = MembershipId, Path, description = "Id of the membership")),
    security(("bearer" = ["write:members"])), responses((status = 200, body = Membership)))]
pub async fn unfreeze_membership(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<MembershipId>,
) -> Result<Json<Membership>> {
    set(&app, Entry::asked("membership.unfrozen", &caller, &origin), &caller, id, None).await
}

async fn set(
    app: &App,
    entry: Entry<'_>,
    caller: &Caller,
    id: MembershipId,
    reason: Option<&Reason>,
) -> Result<Json<Membership>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    sight::membership(&mut tx, caller, id).await?;
    let after = rights::set_frozen(&mut tx, caller.organization, id, reason, now).await?;
    audit::record(&mut tx, &entry.on(id), now).await?;
    tx.commit().await?;
    Ok(Json(after))
}
