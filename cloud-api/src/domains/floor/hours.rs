//! Sums stays up by branch and hour, so that a year of them is quickly told.

use crate::app::App;
use crate::ids::BranchId;
use crate::jobs::Job;
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection, query, query_scalar};
use time::OffsetDateTime;

/// Sums up all hours that have changed.
#[derive(Debug, Serialize, Deserialize)]
pub struct SumUp;

impl Job for SumUp {
    const KIND: &'static str = "floor.sum_up";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let mut db = app.db.acquire().await?;
        let stale = query_scalar!(r#"SELECT branch_id AS "id: BranchId" FROM visit_hours_stale"#);
        for branch in stale.fetch_all(&mut *db).await? {
            sum_up(&mut db, branch, app.clock.now()).await?;
        }
        Ok(())
    }
}

/// Sums up the hours of a branch that have changed, up to now: who is still inside counts until now, and is summed up
/// again next time.
pub async fn sum_up(
    db: &mut PgConnection,
    branch: BranchId,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let mut tx = db.begin().await?;
    let stale = query_scalar!(
        "DELETE FROM visit_hours_stale WHERE branch_id = $1 RETURNING since",
        branch.0
    );
    let Some(since) = stale.fetch_optional(&mut *tx).await? else { return Ok(()) };
    replace(&mut tx, branch, since, now).await?;
    query!(
        "INSERT INTO visit_hours_stale (branch_id, since)
         SELECT $1, LEAST($2, min(started_at)) FROM gym_sessions
         WHERE branch_id = $1 AND ended_at IS NULL HAVING count(*) > 0
         ON CONFLICT ON CONSTRAINT visit_hours_stale_pkey
         DO UPDATE SET since = LEAST(visit_hours_stale.since, excluded.since)",
        branch.0,
        now,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

async fn replace(
    db: &mut PgConnection,
    branch: BranchId,
    since: OffsetDateTime,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "DELETE FROM visit_hours USING branches
         WHERE branches.id = branch_id AND branch_id = $1
           AND hour >= date_trunc('hour', $2::timestamptz AT TIME ZONE time_zone)",
        branch.0,
        since,
    )
    .execute(&mut *db)
    .await?;
    query!(
        "INSERT INTO visit_hours
           (branch_id, hour, arrivals, departures, stay_s, inside_s)
         SELECT $1, hour,
                count(*) FILTER (WHERE date_trunc('hour', began) = hour),
                count(*) FILTER (WHERE is_over AND date_trunc('hour', until) = hour),
                COALESCE(sum(took) FILTER (WHERE is_over AND date_trunc('hour', until) = hour), 0)::bigint,
                sum(extract(epoch FROM LEAST(until, hour + interval '1 hour') - GREATEST(began, hour)))::bigint
         FROM (
             SELECT started_at AT TIME ZONE time_zone AS began,
                    GREATEST(COALESCE(ended_at, $3), started_at) AT TIME ZONE time_zone AS until,
                    ended_at IS NOT NULL AS is_over,
                    extract(epoch FROM ended_at - started_at) AS took,
                    date_trunc('hour', $2::timestamptz AT TIME ZONE time_zone) AS first
             FROM gym_sessions JOIN branches ON branches.id = branch_id
             WHERE branch_id = $1 AND end_reason IS DISTINCT FROM 'rejected'
               AND (ended_at IS NULL OR ended_at >= $2::timestamptz - interval '1 hour')
         ) AS stays,
         generate_series(GREATEST(date_trunc('hour', began), first), date_trunc('hour', until),
                         interval '1 hour') AS hour
         GROUP BY hour",
        branch.0,
        since,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}
