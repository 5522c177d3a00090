//! `/sessions`: who is inside, for staff.

use super::model::PresentSession;
use super::store;
use crate::app::App;
use crate::domains::branches;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Query, Result};
use crate::ids::{BranchId, MemberId};
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which stays.
#[derive(Debug, Default, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct PresentFilter {
    /// At this branch only.
    #[garde(skip)]
    pub branch_id: Option<BranchId>,
    /// Of this member only.
    #[garde(skip)]
    pub member_id: Option<MemberId>,
    /// Only those that go on (`true`) or are over (`false`).
    #[garde(skip)]
    pub open: Option<bool>,
}

/// List stays at the caller's branches, the newest first.
#[utoipa::path(get, path = "/sessions", tag = "sessions", params(PresentFilter, PageQuery),
    security(("bearer" = ["read:members"])), responses(
    (status = 200, body = Page<PresentSession>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_sessions(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<PresentFilter>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let before = page.after()?;
    let mut db = app.db.acquire().await?;
    if let Some(branch) = filter.branch_id {
        branches::visible(&mut db, &caller, branch).await?;
    }
    let stays = store::present(&mut db, caller.scope(), &filter, before, page.rows()).await?;
    known.answer(&Page::cut(stays, &page, |stay| (stay.started_at, stay.id)))
}
