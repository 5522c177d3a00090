//! `/join-requests`: who wants to join.

use super::model::JoinRequest;
use super::store;
use crate::app::App;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Query, Result};
use axum::extract::State;
use axum::response::Response;

/// List who wants to join branches that the caller works at, the oldest first.
#[utoipa::path(get, path = "/join-requests", tag = "branches", params(PageQuery),
    security(("bearer" = ["read:members"])), responses(
    (status = 200, body = Page<JoinRequest>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_join_requests(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let after = page.after()?;
    let mut db = app.db.acquire().await?;
    let found = store::requests(&mut db, &caller, after, page.rows()).await?;
    known.answer(&Page::cut(found, &page, |request| request.id))
}
