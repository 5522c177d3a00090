//! `/users/activity/events` and `/users/activity/usage`: how much of the app somebody uses, if they agreed to it.

use super::activity_store as store;
use crate::app::App;
use crate::domains::privacy::{self, ConsentKind};
use crate::http::{Caller, Error, IfNoneMatch, Page, Problem, Result, Valid};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use time::{Date, Duration, OffsetDateTime};
use utoipa::ToSchema;

time::serde::format_description!(day, Date, "[year]-[month]-[day]");

/// What an app tells of its use.
#[derive(Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct UsageEvents {
    #[garde(length(min = 1, max = 500), dive)]
    #[schema(min_items = 1, max_items = 500)]
    pub events: Vec<UsageEvent>,
}

/// One use of something.
#[derive(Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct UsageEvent {
    #[garde(skip)]
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// As the app calls it.
    #[garde(length(bytes, min = 1, max = 60), custom(feature_name))]
    #[schema(
        min_length = 1,
        max_length = 60,
        pattern = "^[a-z0-9_.]+$",
        example = "workout.timer"
    )]
    pub feature: String,
    /// For how long.
    #[garde(range(min = 0, max = 86_400))]
    #[serde(default)]
    #[schema(minimum = 0, maximum = 86_400, example = 40, required = false)]
    pub seconds: i32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
fn feature_name(text: &str, (): &()) -> garde::Result {
    let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.".contains(&b);
    if text.bytes().all(is_part) {
        Ok(())
    } else {
        Err(garde::Error::new("has other characters than a-z, 0-9, _ and ."))
    }
}

/// How much of something was used.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FeatureUse {
    #[schema(example = "workout.timer")]
    pub feature: String,
    pub uses: i64,
    pub seconds: i64,
    /// On how many days.
    pub days: i64,
    #[serde(with = "day")]
    #[schema(value_type = String, format = Date)]
    pub last_day: Date,
}

/// Tell how the app was used. What is older than 30 days, or of tomorrow, is left out.
#[utoipa::path(post, path = "/users/activity/events", tag = "users",
    security(("bearer" = ["write:profile"])), request_body = UsageEvents, responses(
    (status = 204),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`consent_needed`: it needs the consent `usage`")))]
pub async fn tell_usage(
    State(app): State<App>,
    caller: Caller,
    Valid(mut told): Valid<UsageEvents>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    told.events.retain(|one| now - one.at < KEPT && one.at - now < Duration::DAY);
    let mut tx = app.db.begin().await?;
    if !privacy::has_consent(&mut tx, caller.user, ConsentKind::Usage).await? {
        return Err(Error::Conflict("consent_needed"));
    }
    store::add_usage(&mut tx, caller.user, &told.events).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

const KEPT: Duration = Duration::days(30);

/// Read what the caller used in the last 30 days, the most used first.
#[utoipa::path(get, path = "/users/activity/usage", tag = "users",
    security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = Page<FeatureUse>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_usage(
    State(app): State<App>,
    caller: Caller,
    known: IfNoneMatch,
) -> Result<Response> {
    let from = (app.clock.now() - KEPT).date();
    let mut db = app.db.acquire().await?;
    known.answer(&Page::whole(store::usage(&mut db, caller.user, from).await?))
}
