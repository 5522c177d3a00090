//! `/sessions/analytics`: when members come and how long they stay.

use super::analytics_store::{self as store, Span};
use super::hours;
use crate::app::App;
use crate::domains::branches;
use crate::http::{Caller, Error, IfNoneMatch, Query, Result};
use crate::ids::BranchId;
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::{Date, Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};

time::serde::format_description!(pub day, Date, "[year]-[month]-[day]");

/// Of which branch and days.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct AnalyticsQuery {
    #[garde(skip)]
    pub branch_id: BranchId,
    /// The first day; 90 days before the last, if left out.
    #[garde(skip)]
    #[serde(default, with = "day::option")]
    #[param(value_type = Option<String>, format = Date)]
    pub from: Option<Date>,
    /// The last day; today, if left out.
    #[garde(skip)]
    #[serde(default, with = "day::option")]
    #[param(value_type = Option<String>, format = Date)]
    pub to: Option<Date>,
}

/// When members come and how long they stay. Days and hours are those of the wall clock at the branch.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionAnalytics {
    pub branch_id: BranchId,
    #[serde(with = "day")]
    #[schema(value_type = String, format = Date)]
    pub from: Date,
    #[serde(with = "day")]
    #[schema(value_type = String, format = Date)]
    pub to: Date,
    /// How many stays began.
    #[schema(example = 4200)]
    pub sessions: i64,
    /// Of those that ended.
    #[schema(example = 3900)]
    pub average_duration_s: i64,
    /// How many are inside now.
    #[schema(example = 37)]
    pub inside_now: i64,
    /// The five hours of the week in which most are inside, the fullest first.
    pub peak_hours: Vec<HourOfWeek>,
    /// Every hour of the week in which somebody was inside.
    pub hours: Vec<HourOfWeek>,
    pub days: Vec<DayOfUse>,
    /// The next 24 hours, as the same hours of the week were.
    pub forecast: Vec<Forecast>,
}

/// What an hour of the week is like.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HourOfWeek {
    /// 1 is Monday.
    #[schema(minimum = 1, maximum = 7, example = 1)]
    pub weekday: i32,
    #[schema(minimum = 0, maximum = 23, example = 18)]
    pub hour: i32,
    /// Arrivals in such an hour, on average.
    #[schema(example = 12.5)]
    pub arrivals: f64,
    /// How many are inside, on average.
    #[schema(example = 48.2)]
    pub inside: f64,
}

/// A day.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayOfUse {
    #[serde(with = "day")]
    #[schema(value_type = String, format = Date)]
    pub day: Date,
    #[schema(example = 140)]
    pub sessions: i64,
    /// The most that were inside on average over an hour.
    #[schema(example = 61.0)]
    pub peak_inside: f64,
}

/// An hour to come.
#[derive(Debug, Serialize, ToSchema)]
pub struct Forecast {
    /// From now, 0 is the hour that has begun.
    #[schema(minimum = 0, maximum = 23, example = 0)]
    pub in_hours: i32,
    #[schema(example = 48.2)]
    pub inside: f64,
}

/// Read when members come to a branch and how long they stay.
#[utoipa::path(get, path = "/sessions/analytics", tag = "sessions", params(AnalyticsQuery),
    security(("bearer" = ["read:members"])), responses(
    (status = 200, body = SessionAnalytics),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_session_analytics(
    State(app): State<App>,
    caller: Caller,
    Query(asked): Query<AnalyticsQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    let branch = branches::visible(&mut db, &caller, asked.branch_id).await?.id;
    let today = branches::today(&mut db, Some(branch), app.clock.now()).await?;
    let to = asked.to.unwrap_or(today);
    let from = asked.from.or_else(|| to.checked_sub(USUAL)).unwrap_or(to);
    if from > to || to - from > LONGEST {
        let message = "is after `to`, or more than two years before it".to_owned();
        return Err(Error::Field { field: "from", code: "invalid", message });
    }
    let span = Span { branch, from, to };
    known.answer(&of_span(&mut db, &span, app.clock.now()).await?)
}

/// When members came within a span, with the hours up to now.
pub async fn of_span(
    db: &mut PgConnection,
    span: &Span,
    now: OffsetDateTime,
) -> Result<SessionAnalytics> {
    let Span { branch, from, to } = *span;
    hours::sum_up(db, branch, now).await?;
    let sums = store::sums(db, span).await?;
    let hours = store::hours_of_week(db, span).await?;
    let mut peak_hours = hours.clone();
    peak_hours.sort_by(|one, other| other.inside.total_cmp(&one.inside));
    peak_hours.truncate(PEAKS);
    let (weekday, hour) = store::hour_now(db, branch, now).await?;
    Ok(SessionAnalytics {
        branch_id: branch,
        from,
        to,
        sessions: sums.sessions,
        average_duration_s: sums.stay_s.checked_div(sums.departures).unwrap_or(0),
        inside_now: sums.inside_now,
        forecast: forecast(&hours, weekday, hour),
        peak_hours,
        hours,
        days: store::days(db, span).await?,
    })
}

const USUAL: Duration = Duration::days(89);
const LONGEST: Duration = Duration::days(731);
const PEAKS: usize = 5;

fn forecast(hours: &[HourOfWeek], weekday: i32, hour: i32) -> Vec<Forecast> {
    let first = (weekday - 1) * 24 + hour;
    let inside = |in_hours: i32| {
        let at = (first + in_hours) % (7 * 24);
        let same = hours.iter().find(|one| (one.weekday - 1) * 24 + one.hour == at);
        same.map_or(0.0, |one| one.inside)
    };
    (0..24).map(|in_hours| Forecast { in_hours, inside: inside(in_hours) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_goes_on_over_the_end_of_the_week() {
        let monday = HourOfWeek { weekday: 1, hour: 0, arrivals: 2.0, inside: 3.0 };

        let forecast = forecast(&[monday], 7, 22);

        let full: Vec<i32> =
            forecast.iter().filter(|one| one.inside > 0.0).map(|one| one.in_hours).collect();
        assert_eq!(full, [2]);
    }
}
