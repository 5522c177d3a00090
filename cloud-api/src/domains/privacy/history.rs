//! `/users/consents/history`: every decision.

use super::model::Decision;
use super::store;
use crate::app::App;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Query, Result};
use axum::extract::State;
use axum::response::Response;

/// List what the caller decided, the newest first.
#[utoipa::path(get, path = "/users/consents/history", tag = "privacy", params(PageQuery),
    security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = Page<Decision>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_consent_history(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let after = page.after()?;
    let mut db = app.db.acquire().await?;
    let decisions = store::history(&mut db, caller.user, after, page.rows()).await?;
    known.answer(&Page::cut(decisions, &page, |decision| decision.id))
}
