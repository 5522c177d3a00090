//! `/users/feedback` and `/admin/feedback`: what users wish for.

use super::feedback_store as store;
use crate::app::App;
use crate::domains::accounts::{plain_text, text_block};
use crate::http::{
    Caller, IdempotencyKey, IfNoneMatch, Json, Once, Page, PageQuery, Query, Result, Valid,
};
use crate::ids::{FeedbackId, UserId};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// What it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum FeedbackKind {
    Improvement,
    Feature,
    Problem,
    Praise,
}

/// What somebody has to say.
#[derive(Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewFeedback {
    #[garde(skip)]
    pub kind: FeedbackKind,
    #[garde(length(chars, min = 1, max = 4000), custom(plain_lines))]
    #[schema(min_length = 1, max_length = 4000, example = "A timer between sets, please.")]
    pub message: String,
    #[garde(length(chars, min = 1, max = 40), inner(custom(plain_text)))]
    #[schema(min_length = 1, max_length = 40, example = "1.4.2")]
    pub app_version: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
fn plain_lines(text: &str, (): &()) -> garde::Result {
    if text.trim().is_empty() {
        return Err(garde::Error::new("has no visible characters"));
    }
    text_block(text, &())
}

/// What somebody said.
#[derive(Debug, Serialize, ToSchema)]
pub struct Feedback {
    pub id: FeedbackId,
    pub user_id: UserId,
    pub kind: FeedbackKind,
    pub message: String,
    pub app_version: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// Tell what could be better.
#[utoipa::path(post, path = "/users/feedback", tag = "users", params(IdempotencyKey),
    security(("bearer" = ["write:profile"])), request_body = NewFeedback,
    extensions(("x-rate-limit" = json!({"limit": 20, "window_s": 86400}))),
    responses((status = 201, body = Feedback)))]
pub async fn give_feedback(
    State(app): State<App>,
    caller: Caller,
    once: Once,
    Valid(new): Valid<NewFeedback>,
) -> Result<(StatusCode, Json<Feedback>)> {
    let (organization, now) = (caller.organization, app.clock.now());
    let mut tx = app.db.begin().await?;
    let made = store::insert(&mut tx, organization, caller.user, &new, now).await?;
    once.commit(tx).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// List what users said, the newest first.
#[utoipa::path(get, path = "/admin/feedback", tag = "admin", params(PageQuery),
    security(("bearer" = ["read:platform"])), responses(
    (status = 200, body = Page<Feedback>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_feedback(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let after = page.after()?;
    let mut db = app.db.acquire().await?;
    let found = store::list(&mut db, caller.organization, after, page.rows()).await?;
    known.answer(&Page::cut(found, &page, |one| one.id))
}
