//! `/admin/edges/{id}/gaps`, `rejects`, `notices`: what is missing, what was refused, what staff should know.

use super::store::{self, Gap, Notice, Reject};
use crate::app::App;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Path, Query, Result};
use crate::ids::EdgeId;
use axum::extract::State;
use axum::response::Response;

/// List what is missing of what an edge measured, the newest first.
#[utoipa::path(get, path = "/admin/edges/{id}/gaps", tag = "admin",
    params(("id" = EdgeId, Path, description = "Id of the edge"), PageQuery),
    security(("bearer" = ["read:machines"])), responses((status = 200, body = Page<Gap>)))]
pub async fn list_edge_gaps(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EdgeId>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    super::visible(&mut db, &caller, id).await?;
    let found = store::gaps(&mut db, id, page.after()?, page.rows()).await?;
    known.answer(&Page::cut(found, &page, |gap| (gap.received_at, gap.id)))
}

/// List messages that an edge refused, without what they said, the newest first.
#[utoipa::path(get, path = "/admin/edges/{id}/rejects", tag = "admin",
    params(("id" = EdgeId, Path, description = "Id of the edge"), PageQuery),
    security(("bearer" = ["read:machines"])), responses((status = 200, body = Page<Reject>)))]
pub async fn list_edge_rejects(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EdgeId>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    super::visible(&mut db, &caller, id).await?;
    let found = store::rejects(&mut db, id, page.after()?, page.rows()).await?;
    known.answer(&Page::cut(found, &page, |one| (one.at, one.epoch, one.seq)))
}

/// List what an edge, or the cloud about it, wants staff to know, the newest first.
#[utoipa::path(get, path = "/admin/edges/{id}/notices", tag = "admin",
    params(("id" = EdgeId, Path, description = "Id of the edge"), PageQuery),
    security(("bearer" = ["read:machines"])), responses((status = 200, body = Page<Notice>)))]
pub async fn list_edge_notices(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EdgeId>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    super::visible(&mut db, &caller, id).await?;
    let found = store::notices(&mut db, id, page.after()?, page.rows()).await?;
    known.answer(&Page::cut(found, &page, |one| (one.at, one.id)))
}
