//! `/sessions/history`: the own stays that are over.

use super::model::{PastSession, Totals};
use super::store;
use crate::app::App;
use crate::domains::members;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Query, Result};
use crate::ids::BranchId;
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

/// Which stays.
#[derive(Debug, Default, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct HistoryFilter {
    /// Begun at this moment or later.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<OffsetDateTime>,
    /// Begun before this moment.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<OffsetDateTime>,
    /// At this branch only.
    #[garde(skip)]
    pub branch_id: Option<BranchId>,
}

/// Stays, the newest first, and what all of them come to.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryPage {
    #[serde(flatten)]
    page: Page<PastSession>,
    /// Over all pages.
    totals: Totals,
}

/// List the own stays that are over, the newest first, with what they come to.
#[utoipa::path(get, path = "/sessions/history", tag = "sessions", params(HistoryFilter, PageQuery),
    security(("bearer" = ["read:workouts"])), responses(
    (status = 200, body = HistoryPage),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_past_sessions(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<HistoryFilter>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let before = page.after()?;
    let mut db = app.db.acquire().await?;
    let member = members::of_user(&mut db, caller.organization, caller.user).await?;
    let member = member.map(|member| member.id);
    let past = store::past(&mut db, member, &filter, before, page.rows()).await?;
    let totals = store::totals(&mut db, member, &filter).await?;
    let page = Page::cut(past, &page, |stay| (stay.started_at, stay.id));
    known.answer(&HistoryPage { page, totals })
}
