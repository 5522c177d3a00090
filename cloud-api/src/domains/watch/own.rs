//! `/users/security-events` and `/users/security-events/read`: what was noticed about the own account.

use super::model::SecurityEvent;
use super::store;
use crate::app::App;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Query, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

/// List what was noticed about the own account, the newest first.
#[utoipa::path(get, path = "/users/security-events", tag = "users", params(PageQuery),
    security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = Page<SecurityEvent>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_own_security_events(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let (after, only) = (page.after()?, Some(caller.user));
    let mut db = app.db.acquire().await?;
    let events = store::list(&mut db, caller.organization, only, after, page.rows()).await?;
    known.answer(&Page::cut(events, &page, |event| event.id))
}

/// Say that all of it was seen; the dashboard counts what comes later.
#[utoipa::path(post, path = "/users/security-events/read", tag = "users",
    security(("bearer" = ["write:profile"])), responses((status = 204)))]
pub async fn mark_security_events_read(
    State(app): State<App>,
    caller: Caller,
) -> Result<StatusCode> {
    store::mark_read(&mut *app.db.acquire().await?, caller.user).await?;
    Ok(StatusCode::NO_CONTENT)
}
