//! `/admin/edges/{id}`: how one is, and taking its key away.

use super::model::EdgeRecord;
use super::store::{self, Counts};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::http::{Caller, Error, IfNoneMatch, Origin, Path, Problem, Result};
use crate::ids::EdgeId;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use time::Duration;
use utoipa::ToSchema;

/// An edge, and what was kept of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct EdgeDetail {
    #[serde(flatten)]
    edge: EdgeRecord,
    /// Within the last seven days.
    last_week: Counts,
}

/// Read how an edge is.
#[utoipa::path(get, path = "/admin/edges/{id}", tag = "admin",
    params(("id" = EdgeId, Path, description = "Id of the edge")),
    security(("bearer" = ["read:machines"])), responses(
    (status = 200, body = EdgeDetail),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_edge(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EdgeId>,
    known: IfNoneMatch,
) -> Result<Response> {
    let (now, scope) = (app.clock.now(), caller.scope());
    let (only, with_revoked) = (Some(id), true);
    let wanted = store::Wanted { scope, branch: None, only, with_revoked, after: None, rows: 1 };
    let mut db = app.db.acquire().await?;
    let edge = store::list(&mut db, wanted, now).await?.pop().ok_or(Error::NotFound)?;
    let last_week = store::counts(&mut db, id, now - Duration::WEEK).await?;
    known.answer(&EdgeDetail { edge, last_week })
}

/// Take an edge's key away, as when the computer was stolen. It is refused at once; the branch needs a new enrolment.
#[utoipa::path(delete, path = "/admin/edges/{id}", tag = "admin",
    params(("id" = EdgeId, Path, description = "Id of the edge")),
    security(("bearer" = ["write:settings"])), responses(
    (status = 204),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`edge_revoked`: its key counts no more already")))]
pub async fn revoke_edge(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<EdgeId>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let branch = super::visible(&mut tx, &caller, id).await?;
    if !store::revoke(&mut tx, id, now).await? {
        return Err(Error::Conflict("edge_revoked"));
    }
    let entry = Entry::asked("edge.revoked", &caller, &origin).on(id);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    app.live.forget(branch);
    Ok(StatusCode::NO_CONTENT)
}
