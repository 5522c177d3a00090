//! `/admin/branches/{id}/staff`: who works at a branch.

use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::accounts::{self, Worker};
use crate::http::{Caller, IfNoneMatch, Json, Origin, Page, Path, Problem, Result};
use crate::ids::{BranchId, UserId};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

/// List who works at a branch: its staff, and the admins of the organization, by name.
#[utoipa::path(get, path = "/admin/branches/{id}/staff", tag = "admin",
    params(("id" = BranchId, Path, description = "Id of the branch")),
    security(("bearer" = ["read:users"])), responses(
    (status = 200, body = Page<Worker>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_branch_staff(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<BranchId>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    store::record(&mut db, caller.organization, id).await?;
    known.answer(&Page::whole(accounts::workers(&mut db, caller.organization, id).await?))
}

/// Let somebody work at a branch. A member becomes staff; the branch knows them at once.
#[utoipa::path(put, path = "/admin/branches/{id}/staff/{user_id}", tag = "admin",
    params(("id" = BranchId, Path, description = "Id of the branch"),
           ("user_id" = UserId, Path, description = "Id of the user")),
    security(("bearer" = ["write:users"])), responses(
    (status = 200, body = Worker),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`other_role`: admins work everywhere already, moderators nowhere")))]
pub async fn add_branch_staff(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path((id, user)): Path<(BranchId, UserId)>,
) -> Result<Json<Worker>> {
    let mut tx = app.db.begin().await?;
    store::record(&mut tx, caller.organization, id).await?;
    let worker = accounts::put_to_work(&mut tx, caller.organization, user, id).await?;
    let entry = Entry::asked("branch.staff_added", &caller, &origin).on(user);
    let entry = entry.detail(serde_json::json!({ "branch_id": id }));
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    tx.commit().await?;
    app.forget(user);
    Ok(Json(worker))
}

/// Let somebody work at a branch no more. Who works at no other is a member again.
#[utoipa::path(delete, path = "/admin/branches/{id}/staff/{user_id}", tag = "admin",
    params(("id" = BranchId, Path, description = "Id of the branch"),
           ("user_id" = UserId, Path, description = "Id of the user")),
    security(("bearer" = ["write:users"])), responses((status = 204)))]
pub async fn remove_branch_staff(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path((id, user)): Path<(BranchId, UserId)>,
) -> Result<StatusCode> {
    let mut tx = app.db.begin().await?;
    store::record(&mut tx, caller.organization, id).await?;
    accounts::take_from_work(&mut tx, caller.organization, user, id).await?;
    let entry = Entry::asked("branch.staff_removed", &caller, &origin).on(user);
    let entry = entry.detail(serde_json::json!({ "branch_id": id }));
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    tx.commit().await?;
    app.forget(user);
    Ok(StatusCode::NO_CONTENT)
}
