//! SQL of the queue: `SKIP LOCKED`, leases, retries with back-off.

use super::Job;
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, query, query_as};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// A job that this instance has taken.
#[derive(Debug)]
pub struct Taken {
    pub id: Uuid,
    pub kind: String,
    pub payload: Value,
    /// This one included.
    pub attempts: i32,
}

/// Adds a job; it runs once the caller's transaction is committed.
pub async fn enqueue<J: Job>(
    db: &mut PgConnection,
    job: &J,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    query!(
        "INSERT INTO jobs (id, kind, payload, created_at, run_at) VALUES ($1, $2, $3, $4, $4)",
        Uuid::now_v7(),
        J::KIND,
        serde_json::to_value(job)?,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes the next job that is due, unless somebody else is at it.
pub async fn take(db: &mut PgConnection, now: OffsetDateTime) -> sqlx::Result<Option<Taken>> {
    query_as!(
        Taken,
        "UPDATE jobs SET attempts = attempts + 1, locked_until = $2
         WHERE id = (
             SELECT id FROM jobs
             WHERE failed_at IS NULL AND run_at <= $1 AND (locked_until IS NULL OR locked_until < $1)
             ORDER BY run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
         )
         RETURNING id, kind, payload, attempts",
        now,
        now + LEASE,
    )
    .fetch_optional(db)
    .await
}

/// Whoever holds a job for longer is taken for dead.
pub const LEASE: Duration = Duration::minutes(10);

pub async fn finish(db: &mut PgConnection, job: Uuid) -> sqlx::Result<()> {
    query!("DELETE FROM jobs WHERE id = $1", job).execute(db).await?;
    Ok(())
}

/// Puts a job back for later, or gives it up for good.
pub async fn fail(
    db: &mut PgConnection,
    job: &Taken,
    error: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let given_up_at = (job.attempts >= MAX_ATTEMPTS).then_some(now);
    query!(
        "UPDATE jobs SET run_at = $2, locked_until = NULL, last_error = $3, failed_at = $4
         WHERE id = $1",
        job.id,
        now + back_off(job.attempts),
        error,
        given_up_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A job that was given up.
#[derive(Debug, Serialize)]
pub struct FailedJob {
    pub id: Uuid,
    pub kind: String,
    pub attempts: i32,
    #[serde(with = "time::serde::rfc3339::option")]
    pub failed_at: Option<OffsetDateTime>,
    pub last_error: Option<String>,
}

/// Those that were given up, the newest first.
pub async fn failed(db: &mut PgConnection) -> sqlx::Result<Vec<FailedJob>> {
    query_as!(
        FailedJob,
        "SELECT id, kind, attempts, failed_at, last_error FROM jobs
         WHERE failed_at IS NOT NULL ORDER BY failed_at DESC LIMIT 1000",
    )
    .fetch_all(db)
    .await
}

/// Gives one that was given up another chance; `false` if there is none.
pub async fn retry(db: &mut PgConnection, job: Uuid, now: OffsetDateTime) -> sqlx::Result<bool> {
    let queued = query!(
        "UPDATE jobs SET failed_at = NULL, attempts = 0, run_at = $2, locked_until = NULL
         WHERE id = $1 AND failed_at IS NOT NULL",
        job,
        now,
    );
    Ok(queued.execute(db).await?.rows_affected() == 1)
}

/// About a day in all.
pub const MAX_ATTEMPTS: i32 = 20;

/// 2, 4, 8 … seconds, at most two hours.
fn back_off(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts).unwrap_or(0).min(13);
    Duration::seconds(2_i64.pow(doublings)).min(Duration::hours(2))
}

/// Moves the schedule of a kind on, if it is due; only one of several instances succeeds.
pub async fn is_due(
    db: &mut PgConnection,
    kind: &str,
    every: Duration,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let moved = query!(
        "INSERT INTO job_schedules AS known (kind, next_run_at) VALUES ($1, $3)
         ON CONFLICT ON CONSTRAINT job_schedules_pkey
         DO UPDATE SET next_run_at = $3 WHERE known.next_run_at <= $2",
        kind,
        now,
        now + every,
    );
    Ok(moved.execute(db).await?.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_come_more_and_more_seldom() {
        assert_eq!(back_off(1), Duration::seconds(2));
        assert_eq!(back_off(3), Duration::seconds(8));
        assert_eq!(back_off(19), Duration::hours(2));
    }
}
