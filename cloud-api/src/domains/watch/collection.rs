//! `/admin/security-events`: list.

use super::model::SecurityEvent;
use super::store;
use crate::app::App;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Query, Result};
use axum::extract::State;
use axum::response::Response;

/// List what was noticed about accounts of the organization, the newest first.
#[utoipa::path(get, path = "/admin/security-events", tag = "admin", params(PageQuery),
    security(("bearer" = ["read:platform"])), responses(
    (status = 200, body = Page<SecurityEvent>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_security_events(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let after = page.after()?;
    let mut db = app.db.acquire().await?;
    let events = store::list(&mut db, caller.organization, None, after, page.rows()).await?;
    known.answer(&Page::cut(events, &page, |event| event.id))
}
