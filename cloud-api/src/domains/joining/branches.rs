//! `/branches` and `/users/branches`: which there are, and the own ones.

use super::model::{BranchCard, OwnBranch};
use super::store;
use crate::app::App;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Query, Result};
use axum::extract::State;
use axum::response::Response;

/// List the branches of the caller's organization by name.
#[utoipa::path(get, path = "/branches", tag = "branches", params(PageQuery),
    security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = Page<BranchCard>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_branches(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let after = page.after()?;
    let mut db = app.db.acquire().await?;
    let found = store::branches(&mut db, caller.organization, after, page.rows()).await?;
    known.answer(&Page::cut(found, &page, |branch| (branch.name.clone(), branch.id)))
}

/// List the branches that the caller belongs to, or wants to.
#[utoipa::path(get, path = "/users/branches", tag = "branches",
    security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = Page<OwnBranch>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_own_branches(
    State(app): State<App>,
    caller: Caller,
    known: IfNoneMatch,
) -> Result<Response> {
    let today = app.clock.now().date();
    let mut db = app.db.acquire().await?;
    let own = store::own(&mut db, caller.organization, caller.user, today).await?;
    known.answer(&Page::whole(own))
}
