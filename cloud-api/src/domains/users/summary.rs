//! `/users/activity/summary`: what somebody did, by days, weeks or months.

use super::activity_store as store;
use crate::app::App;
use crate::http::{Caller, IfNoneMatch, Page, Query, Result};
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use time::{Date, Duration};
use utoipa::{IntoParams, ToSchema};

time::serde::format_description!(day, Date, "[year]-[month]-[day]");

/// How long a span is. Days begin by UTC, weeks on Monday.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    Day,
    #[default]
    Week,
    Month,
}

impl Period {
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// What is told at most.
    fn reach(self) -> Duration {
        match self {
            Self::Day => Duration::days(30),
            Self::Week => Duration::days(26 * 7),
            Self::Month => Duration::days(2 * 365),
        }
    }
}

/// Of what to sum up.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct Spans {
    /// Days (30), weeks (26, the default) or months (24).
    #[garde(skip)]
    #[serde(default)]
    #[param(inline, required = false)]
    pub period: Period,
}

/// What somebody did in a span.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Span {
    /// Its first day.
    #[serde(with = "day")]
    #[schema(value_type = String, format = Date)]
    pub begins: Date,
    pub visits: i64,
    /// Seconds in the gym, of visits that are over.
    pub visit_s: i64,
    /// Sets that machines counted.
    pub sets: i64,
    /// Everything else in the list of activity.
    pub other: i64,
}

/// Sum up what the caller did. Spans without anything are left out.
#[utoipa::path(get, path = "/users/activity/summary", tag = "users", params(Spans),
    security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = Page<Span>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn summarize_activity(
    State(app): State<App>,
    caller: Caller,
    Query(spans): Query<Spans>,
    known: IfNoneMatch,
) -> Result<Response> {
    let from = app.clock.now() - spans.period.reach();
    let mut db = app.db.acquire().await?;
    known.answer(&Page::whole(store::summary(&mut db, caller.user, spans.period, from).await?))
}
