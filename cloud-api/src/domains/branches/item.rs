//! `/admin/branches/{id}`: read and change.

use super::setup::{BranchRecord, BranchSetup};
use super::{change, store};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::members;
use crate::http::{
    Caller, IfMatch, IfMatchHeader, IfNoneMatch, Json, Origin, Patch, Path, Problem, Result,
};
use crate::ids::BranchId;
use axum::extract::State;
use axum::response::Response;

/// Read all that is said of a branch.
#[utoipa::path(get, path = "/admin/branches/{id}", tag = "admin",
    params(("id" = BranchId, Path, description = "Id of the branch")),
    security(("bearer" = ["read:platform"])), responses(
    (status = 200, body = BranchRecord),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_branch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<BranchId>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    known.answer(&store::record(&mut db, caller.organization, id).await?)
}

/// Change what is said of a branch; what is left out stays, null puts a setting back to its default. The branch is told
/// at once, and its doors follow.
#[utoipa::path(patch, path = "/admin/branches/{id}", tag = "admin",
    params(("id" = BranchId, Path, description = "Id of the branch"), IfMatchHeader),
    security(("bearer" = ["write:settings"])), request_body = BranchSetup, responses(
    (status = 200, body = BranchRecord),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`name_taken`: another branch of the organization has it"),
    (status = 412, body = Problem, content_type = "application/problem+json",
     description = "`changed_meanwhile`: it is no longer what `If-Match` names")))]
pub async fn update_branch(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<BranchId>,
    expected: IfMatch,
    patch: Patch<BranchSetup>,
) -> Result<Json<BranchRecord>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    members::hold_alone(&mut tx, caller.organization).await?;
    let before = store::record(&mut tx, caller.organization, id).await?;
    expected.check(&before)?;
    let after = change(&mut tx, &before, &patch.applied_to(&before.setup)?, now).await?;
    let entry = Entry::asked("branch.changed", &caller, &origin).on(id);
    audit::record(&mut tx, &entry.changed(&before, &after), now).await?;
    tx.commit().await?;
    Ok(Json(after))
}
