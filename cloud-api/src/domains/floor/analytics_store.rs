//! SQL of analytics, over hours that were summed up.

use super::analytics::{DayOfUse, HourOfWeek};
use crate::ids::BranchId;
use sqlx::{PgConnection, query, query_as};
use time::{Date, OffsetDateTime};

/// What is looked at; both days are in it.
pub struct Span {
    pub branch: BranchId,
    pub from: Date,
    pub to: Date,
}

/// An hour of a day.
pub struct HourOfDay {
    pub hour: i32,
    pub inside: f64,
}

/// Over the whole span.
pub struct Sums {
    pub sessions: i64,
    pub departures: i64,
    pub stay_s: i64,
    pub inside_now: i64,
}

pub async fn sums(db: &mut PgConnection, span: &Span) -> sqlx::Result<Sums> {
    query_as!(
        Sums,
        r#"SELECT COALESCE(sum(arrivals), 0)::bigint AS "sessions!",
                  COALESCE(sum(departures), 0)::bigint AS "departures!",
                  COALESCE(sum(stay_s), 0)::bigint AS "stay_s!",
                  (SELECT count(*) FROM gym_sessions WHERE branch_id = $1 AND ended_at IS NULL)
                      AS "inside_now!"
         FROM visit_hours WHERE branch_id = $1 AND hour >= $2::date AND hour < $3::date + 1"#,
        span.branch.0,
        span.from,
        span.to,
    )
    .fetch_one(db)
    .await
}

/// On average over the weeks of the span, also those in which nobody came.
pub async fn hours_of_week(db: &mut PgConnection, span: &Span) -> sqlx::Result<Vec<HourOfWeek>> {
    query_as!(
        HourOfWeek,
        r#"SELECT weekday AS "weekday!", hour AS "hour!",
                  sum(arrivals)::float8 / max(weeks) AS "arrivals!",
                  sum(inside_s)::float8 / 3600 / max(weeks) AS "inside!"
         FROM (
             SELECT extract(isodow FROM visit_hours.hour)::integer AS weekday,
                    extract(hour FROM visit_hours.hour)::integer AS hour, arrivals, inside_s,
                    ($3::date - $2::date - (7 + extract(isodow FROM visit_hours.hour)::integer
                        - extract(isodow FROM $2::date)::integer) % 7) / 7 + 1 AS weeks
             FROM visit_hours
             WHERE branch_id = $1 AND visit_hours.hour >= $2::date AND visit_hours.hour < $3::date + 1
         ) AS hours
         GROUP BY weekday, hour ORDER BY weekday, hour"#,
        span.branch.0,
        span.from,
        span.to,
    )
    .fetch_all(db)
    .await
}

pub async fn days(db: &mut PgConnection, span: &Span) -> sqlx::Result<Vec<DayOfUse>> {
    query_as!(
        DayOfUse,
        r#"SELECT hour::date AS "day!", sum(arrivals)::bigint AS "sessions!",
                  max(inside_s)::float8 / 3600 AS "peak_inside!"
         FROM visit_hours WHERE branch_id = $1 AND hour >= $2::date AND hour < $3::date + 1
         GROUP BY hour::date ORDER BY hour::date"#,
        span.branch.0,
        span.from,
        span.to,
    )
    .fetch_all(db)
    .await
}

/// How many were inside in each hour of a day at a branch, on average over the hour.
pub async fn hours_of_day(
    db: &mut PgConnection,
    branch: BranchId,
    day: Date,
) -> sqlx::Result<Vec<HourOfDay>> {
    query_as!(
        HourOfDay,
        r#"SELECT extract(hour FROM hour)::integer AS "hour!", inside_s::float8 / 3600 AS "inside!"
         FROM visit_hours WHERE branch_id = $1 AND hour >= $2::date AND hour < $2::date + 1
         ORDER BY hour"#,
        branch.0,
        day,
    )
    .fetch_all(db)
    .await
}

/// Weekday and hour at a branch.
pub async fn hour_now(
    db: &mut PgConnection,
    branch: BranchId,
    now: OffsetDateTime,
) -> sqlx::Result<(i32, i32)> {
    let row = query!(
        r#"SELECT extract(isodow FROM $2::timestamptz AT TIME ZONE time_zone)::integer AS "weekday!",
                  extract(hour FROM $2::timestamptz AT TIME ZONE time_zone)::integer AS "hour!"
         FROM branches WHERE id = $1"#,
        branch.0,
        now,
    );
    row.fetch_one(db).await.map(|row| (row.weekday, row.hour))
}
