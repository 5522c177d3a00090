//! `/users/branches/{id}`: join and leave.

use super::join;
use super::model::{Belonging, Joining, OwnBranch};
use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::{members, users};
use crate::http::{Caller, Error, Json, Origin, Path, Problem, Result};
use crate::ids::BranchId;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;

/// Join a branch, or ask to. Where the branch is open, doors are told at once. Asking twice is asking once.
#[utoipa::path(post, path = "/users/branches/{id}", tag = "branches",
    params(("id" = BranchId, Path, description = "Id of the branch")),
    security(("bearer" = ["write:profile"])), responses(
    (status = 200, body = OwnBranch)))]
pub async fn join_branch(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<BranchId>,
) -> Result<Json<OwnBranch>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let branch = store::branch(&mut tx, caller.organization, id).await?;
    let state = match branch.joining {
        Joining::Open => {
            join::admit(&mut tx, caller.organization, caller.user, id, now).await?;
            Belonging::Member
        }
        Joining::Approval => {
            store::request(&mut tx, caller.user, id, now).await?;
            Belonging::Requested
        }
    };
    let entry = Entry::asked("branch.join_asked", &caller, &origin).on(id);
    audit::record(&mut tx, &entry.detail(json!({"state": state})), now).await?;
    tx.commit().await?;
    Ok(Json(OwnBranch { id, name: branch.name, state }))
}

/// Leave a branch that was joined by the app, or ask no longer. Doors are told at once.
#[utoipa::path(delete, path = "/users/branches/{id}", tag = "branches",
    params(("id" = BranchId, Path, description = "Id of the branch")),
    security(("bearer" = ["write:profile"])), responses(
    (status = 204),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`contract`: the right comes from a contract, which the gym ends")))]
pub async fn leave_branch(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<BranchId>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    store::branch(&mut tx, caller.organization, id).await?;
    let was_asked = store::withdraw(&mut tx, caller.user, id).await?;
    let has_left = leave(&mut tx, &caller, id).await?;
    if !was_asked && !has_left {
        return Err(Error::NotFound);
    }
    users::log_activity(&mut tx, caller.user, "branch_left", now).await?;
    let entry = Entry::asked("branch.left", &caller, &origin).on(id);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends what the app made for this branch; `false` if there is nothing.
async fn leave(db: &mut sqlx::PgConnection, caller: &Caller, branch: BranchId) -> Result<bool> {
    let organization = caller.organization;
    let Some(member) = members::of_user(db, organization, caller.user).await? else {
        return Ok(false);
    };
    let held = members::memberships(db, member.id).await?.into_iter();
    let there = held.filter(|one| one.branch_ids.as_ref().is_none_or(|ids| ids.contains(&branch)));
    let (own, contracts): (Vec<_>, Vec<_>) = there.partition(|one| {
        one.source == members::Source::App && one.branch_ids.as_deref() == Some([branch].as_slice())
    });
    if own.is_empty() && !contracts.is_empty() {
        return Err(Error::Conflict("contract"));
    }
    for membership in &own {
        members::end_membership(db, organization, membership.id).await?;
    }
    Ok(!own.is_empty())
}
