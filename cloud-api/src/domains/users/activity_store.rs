//! SQL of what users did and how much they use the app.

use super::activity::{Act, ActivityFilter};
use super::summary::{Period, Span};
use super::usage::{FeatureUse, UsageEvent};
use crate::ids::UserId;
use sqlx::{PgConnection, query, query_as};
use time::{Date, OffsetDateTime, UtcOffset};

/// Writes down that somebody did something.
pub async fn log_activity(
    db: &mut PgConnection,
    user: UserId,
    kind: &'static str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!("INSERT INTO user_activity (user_id, at, kind) VALUES ($1, $2, $3)", user.0, now, kind,)
        .execute(db)
        .await?;
    Ok(())
}

/// What somebody did, the newest first. Visits are those of the member who they are.
pub async fn list(
    db: &mut PgConnection,
    user: UserId,
    filter: &ActivityFilter,
    before: Option<(OffsetDateTime, String)>,
    rows: i64,
) -> sqlx::Result<Vec<Act>> {
    query_as!(
        Act,
        r#"SELECT id AS "id!", at AS "at!", kind AS "kind!", seconds FROM (
               SELECT id::text, at, kind, NULL::bigint AS seconds
               FROM user_activity WHERE user_id = $1
               UNION ALL
               SELECT gym_sessions.id::text, started_at, 'visit',
                      extract(epoch FROM ended_at - started_at)::bigint
               FROM gym_sessions JOIN members ON members.id = member_id WHERE user_id = $1
               UNION ALL
               SELECT id::text, created_at, 'login', NULL FROM logins WHERE user_id = $1
           ) AS acts
           WHERE ($2::timestamptz IS NULL OR at >= $2) AND ($3::timestamptz IS NULL OR at < $3)
               AND ($4::text IS NULL OR kind = $4)
               AND ($5::timestamptz IS NULL OR (at, id) < ($5, $6))
           ORDER BY at DESC, id DESC LIMIT $7"#,
        user.0,
        filter.from,
        filter.to,
        filter.kind,
        before.as_ref().map(|(at, _)| *at),
        before.as_ref().map(|(_, id)| id.as_str()),
        rows,
    )
    .fetch_all(db)
    .await
}

/// What somebody did, by days, weeks or months of UTC, the newest first.
pub async fn summary(
    db: &mut PgConnection,
    user: UserId,
    period: Period,
    from: OffsetDateTime,
) -> sqlx::Result<Vec<Span>> {
    query_as!(
        Span,
        r#"SELECT begins AS "begins!", count(*) FILTER (WHERE kind = 'visit') AS "visits!",
                  COALESCE(sum(seconds), 0)::bigint AS "visit_s!",
                  count(*) FILTER (WHERE kind = 'set') AS "sets!",
                  count(*) FILTER (WHERE kind NOT IN ('visit', 'set')) AS "other!"
           FROM (
               SELECT date_trunc($2, at)::date AS begins, kind, NULL::bigint AS seconds
               FROM user_activity WHERE user_id = $1 AND at >= $3
               UNION ALL
               SELECT date_trunc($2, started_at)::date, 'visit',
                      extract(epoch FROM ended_at - started_at)::bigint
               FROM gym_sessions JOIN members ON members.id = member_id
               WHERE user_id = $1 AND started_at >= $3
               UNION ALL
               SELECT date_trunc($2, finished_sets.at)::date, 'set', NULL
               FROM finished_sets JOIN members ON members.id = member_id
               WHERE user_id = $1 AND finished_sets.at >= $3
           ) AS acts
           GROUP BY begins ORDER BY begins DESC"#,
        user.0,
        period.name(),
        from,
    )
    .fetch_all(db)
    .await
}

/// Adds up what an app tells of its use.
pub async fn add_usage(
    db: &mut PgConnection,
    user: UserId,
    events: &[UsageEvent],
) -> sqlx::Result<()> {
    let days: Vec<Date> =
        events.iter().map(|event| event.at.to_offset(UtcOffset::UTC).date()).collect();
    let features: Vec<String> = events.iter().map(|event| event.feature.clone()).collect();
    let seconds: Vec<i64> = events.iter().map(|event| event.seconds.into()).collect();
    query!(
        "INSERT INTO app_usage AS known (user_id, day, feature, uses, seconds)
         SELECT $1, day, feature, count(*), sum(seconds)::bigint
         FROM UNNEST($2::date[], $3::text[], $4::bigint[]) AS told (day, feature, seconds)
         GROUP BY day, feature ORDER BY day, feature
         ON CONFLICT ON CONSTRAINT app_usage_pkey
         DO UPDATE SET uses = known.uses + excluded.uses,
                       seconds = known.seconds + excluded.seconds",
        user.0,
        &days,
        &features,
        &seconds,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// How much of what somebody used since a day.
pub async fn usage(
    db: &mut PgConnection,
    user: UserId,
    from: Date,
) -> sqlx::Result<Vec<FeatureUse>> {
    query_as!(
        FeatureUse,
        r#"SELECT feature, sum(uses)::bigint AS "uses!", sum(seconds)::bigint AS "seconds!",
                  count(*) AS "days!", max(day) AS "last_day!"
           FROM app_usage WHERE user_id = $1 AND day >= $2
           GROUP BY feature ORDER BY 2 DESC, feature"#,
        user.0,
        from,
    )
    .fetch_all(db)
    .await
}
