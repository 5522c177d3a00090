//! `/memberships/{id}`: change and end.

use super::model::{Membership, Terms};
use super::{rights, sight};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::http::{Caller, Json, Origin, Path, Problem, Result, Valid};
use crate::ids::MembershipId;
use axum::extract::State;
use axum::http::StatusCode;

/// Change where and when a membership counts. Doors are told at once.
#[utoipa::path(put, path = "/memberships/{id}", tag = "members",
    params(("id" = MembershipId, Path, description = "Id of the membership")),
    security(("bearer" = ["write:members"])), request_body = Terms, responses(
    (status = 200, body = Membership),
    (status = 403, body = Problem, content_type = "application/problem+json",
     description = "it counts, or is to count, also where the caller does not work: only an admin may")))]
pub async fn replace_membership(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<MembershipId>,
    Valid(terms): Valid<Terms>,
) -> Result<Json<Membership>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let before = sight::membership(&mut tx, &caller, id).await?;
    sight::may_change(&caller, before.branch_ids.as_deref())?;
    sight::may_give(&caller, &terms)?;
    let organization = caller.organization;
    let after = rights::change_membership(&mut tx, organization, id, &terms, now).await?;
    let entry = Entry::asked("membership.changed", &caller, &origin).on(id);
    audit::record(&mut tx, &entry.changed(&before, &after), now).await?;
    tx.commit().await?;
    Ok(Json(after))
}

/// Take a membership away. Doors are told at once.
#[utoipa::path(delete, path = "/memberships/{id}", tag = "members",
    params(("id" = MembershipId, Path, description = "Id of the membership")),
    security(("bearer" = ["write:members"])), responses(
    (status = 204),
    (status = 403, body = Problem, content_type = "application/problem+json",
     description = "it counts also where the caller does not work: only an admin may")))]
pub async fn end_membership(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<MembershipId>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let membership = sight::membership(&mut tx, &caller, id).await?;
    sight::may_change(&caller, membership.branch_ids.as_deref())?;
    rights::end_membership(&mut tx, caller.organization, id).await?;
    let entry = Entry::asked("membership.ended", &caller, &origin).on(id);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
