//! SQL of what somebody did, counted. Stays that turned out not to be theirs do not count.

use crate::ids::{BranchId, UserId};
use sqlx::{PgConnection, query_as, query_scalar};
use time::{Date, OffsetDateTime};

/// How much there is of what.
pub struct Counts {
    pub visits: i64,
    pub visit_s: i64,
    pub first_visit_at: Option<OffsetDateTime>,
    pub last_visit_at: Option<OffsetDateTime>,
    pub machines: i64,
    pub sets: i64,
    pub reps: i64,
    pub measures: i64,
}

pub async fn counts(db: &mut PgConnection, user: UserId) -> sqlx::Result<Counts> {
    query_as!(
        Counts,
        r#"WITH own AS (SELECT id FROM members WHERE user_id = $1 AND removed_at IS NULL),
                stays AS (
                    SELECT started_at, ended_at FROM gym_sessions JOIN own ON own.id = member_id
                    WHERE end_reason IS DISTINCT FROM 'rejected'),
                counted AS (
                    SELECT device_id, finished_sets.reps FROM finished_sets JOIN own ON own.id = member_id)
           SELECT (SELECT count(*) FROM stays) AS "visits!",
                  (SELECT COALESCE(sum(extract(epoch FROM ended_at - started_at)), 0)::bigint FROM stays)
                      AS "visit_s!",
                  (SELECT min(started_at) FROM stays) AS first_visit_at,
                  (SELECT max(started_at) FROM stays) AS last_visit_at,
                  (SELECT count(*) FROM (
                       SELECT machine_id FROM links JOIN own ON own.id = member_id
                       WHERE end_reason IS DISTINCT FROM 'rejected'
                       UNION SELECT device_id FROM counted) AS used) AS "machines!",
                  (SELECT count(*) FROM counted) AS "sets!",
                  (SELECT COALESCE(sum(reps), 0) FROM counted) AS "reps!",
                  (SELECT count(*) FROM body_metrics WHERE user_id = $1) AS "measures!""#,
        user.0,
    )
    .fetch_one(db)
    .await
}

/// Days with a visit by the clock of its branch, in their order.
pub async fn visit_days(db: &mut PgConnection, user: UserId) -> sqlx::Result<Vec<Date>> {
    query_scalar!(
        r#"SELECT DISTINCT (started_at AT TIME ZONE time_zone)::date AS "day!"
           FROM gym_sessions JOIN members ON members.id = member_id
               JOIN branches ON branches.id = branch_id
           WHERE user_id = $1 AND removed_at IS NULL AND end_reason IS DISTINCT FROM 'rejected'
           ORDER BY 1"#,
        user.0,
    )
    .fetch_all(db)
    .await
}

/// Where somebody was last.
pub async fn last_branch(db: &mut PgConnection, user: UserId) -> sqlx::Result<Option<BranchId>> {
    query_scalar!(
        r#"SELECT branch_id AS "branch_id: BranchId"
           FROM gym_sessions JOIN members ON members.id = member_id
           WHERE user_id = $1 AND removed_at IS NULL AND end_reason IS DISTINCT FROM 'rejected'
           ORDER BY started_at DESC LIMIT 1"#,
        user.0,
    )
    .fetch_optional(db)
    .await
}
