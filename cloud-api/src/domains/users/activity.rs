//! `/users/activity`: what somebody did.

use super::activity_store as store;
use crate::app::App;
use crate::domains::accounts::plain_text;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Query, Result};
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

/// Which deeds.
#[derive(Debug, Default, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct ActivityFilter {
    /// From this moment on.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<OffsetDateTime>,
    /// Up to this moment, without it.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<OffsetDateTime>,
    /// Of one kind only: `visit`, `login`, `body_measured`, `branch_joined` …
    #[garde(length(bytes, min = 1, max = 40), inner(custom(plain_text)))]
    #[serde(rename = "type")]
    #[param(min_length = 1, max_length = 40)]
    pub kind: Option<String>,
}

/// Something that somebody did.
#[derive(Debug, Serialize, ToSchema)]
pub struct Act {
    pub id: String,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    #[serde(rename = "type")]
    #[schema(example = "visit")]
    pub kind: String,
    /// How long a visit took that is over.
    #[schema(example = 3600)]
    pub seconds: Option<i64>,
}

/// List what the caller did, the newest first.
#[utoipa::path(get, path = "/users/activity", tag = "users", params(ActivityFilter, PageQuery),
    security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = Page<Act>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_activity(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<ActivityFilter>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let before = page.after()?;
    let mut db = app.db.acquire().await?;
    let acts = store::list(&mut db, caller.user, &filter, before, page.rows()).await?;
    known.answer(&Page::cut(acts, &page, |act| (act.at, act.id.clone())))
}
