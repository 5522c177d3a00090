//! SQL of roll-ups. Their columns follow from `FIELDS`; they are read as JSON objects.

use super::rollup::Hour;
use super::rollup_copy;
use crate::ids::{BranchId, DeviceId};
use serde_json::Value;
use sqlx::{PgConnection, query, query_as};
use std::sync::LazyLock;
use time::{Duration, OffsetDateTime};

/// An hour of a machine that is out of date.
#[derive(Debug, Clone, Copy)]
pub struct Dirty {
    pub machine_id: DeviceId,
    pub hour: OffsetDateTime,
    pub branch_id: BranchId,
}

/// The resolution of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    TenSeconds,
    Minute,
    Hour,
}

/// A step of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Start of the step.
    pub at: OffsetDateTime,
    pub samples: i32,
    /// `<field>_n`, `_last`, and of counters `_gain`, of others `_avg`, `_min`, `_max`; only what was measured.
    pub values: Value,
}

/// Hours that were marked and then left alone, or that have waited long enough. Oldest first.
pub async fn dirty(
    db: &mut PgConnection,
    quiet_since: OffsetDateTime,
    waiting_since: OffsetDateTime,
    limit: i64,
) -> sqlx::Result<Vec<Dirty>> {
    query_as!(
        Dirty,
        "SELECT machine_id, hour, branch_id FROM dirty_hours
         WHERE last_marked_at <= $1 OR first_marked_at <= $2
         ORDER BY first_marked_at, machine_id, hour LIMIT $3",
        quiet_since,
        waiting_since,
        limit,
    )
    .fetch_all(db)
    .await
}

/// `false` if somebody else is at this hour. Held until the end of the transaction.
pub async fn lock_hour(db: &mut PgConnection, dirty: &Dirty) -> sqlx::Result<bool> {
    let row = query!(
        r#"SELECT pg_try_advisory_xact_lock(hashtextextended($1::uuid::text, extract(epoch FROM $2::timestamptz)::bigint)) AS "is_ours!""#,
        dirty.machine_id.0,
        dirty.hour,
    );
    Ok(row.fetch_one(db).await?.is_ours)
}

/// Waits until nobody is at this hour. Held until the end of the transaction.
pub async fn wait_for_hour(
    db: &mut PgConnection,
    machine: DeviceId,
    hour: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, extract(epoch FROM $2::timestamptz)::bigint))",
        machine.0,
        hour,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that chunks of the hour may be merged some time.
pub async fn note_unmerged(db: &mut PgConnection, dirty: &Dirty) -> sqlx::Result<()> {
    query!(
        "INSERT INTO unmerged_hours (machine_id, hour) VALUES ($1, $2)
         ON CONFLICT ON CONSTRAINT unmerged_hours_pkey DO NOTHING",
        dirty.machine_id.0,
        dirty.hour,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The marks of an hour; none if it was computed meanwhile.
pub async fn marks(db: &mut PgConnection, dirty: &Dirty) -> sqlx::Result<Option<i64>> {
    let row = query!(
        "SELECT marks FROM dirty_hours WHERE machine_id = $1 AND hour = $2",
        dirty.machine_id.0,
        dirty.hour,
    );
    Ok(row.fetch_optional(db).await?.map(|row| row.marks))
}

/// Replaces the rows of an hour. It stays dirty if it was marked again since `marks`.
pub async fn replace(
    db: &mut PgConnection,
    dirty: &Dirty,
    marks: i64,
    rolled: &Hour,
) -> sqlx::Result<()> {
    let (machine, from) = (dirty.machine_id.0, dirty.hour);
    let to = from.saturating_add(Duration::HOUR);
    query!(
        "DELETE FROM telemetry_rollups_10s WHERE machine_id = $1 AND at >= $2 AND at < $3",
        machine,
        from,
        to
    )
    .execute(&mut *db)
    .await?;
    query!(
        "DELETE FROM telemetry_rollups_1m WHERE machine_id = $1 AND at >= $2 AND at < $3",
        machine,
        from,
        to
    )
    .execute(&mut *db)
    .await?;
    query!(
        "DELETE FROM telemetry_rollups_1h WHERE machine_id = $1 AND at >= $2 AND at < $3",
        machine,
        from,
        to
    )
    .execute(&mut *db)
    .await?;
    let steps = [&rolled.ten_seconds, &rolled.minutes, &rolled.whole];
    for (statement, steps) in STATEMENTS.iter().zip(steps) {
        if !steps.is_empty() {
            let mut copy = db.copy_in_raw(statement).await?;
            copy.send(rollup_copy::rows(dirty, steps)).await?;
            copy.finish().await?;
        }
    }
    query!(
        "DELETE FROM dirty_hours WHERE machine_id = $1 AND hour = $2 AND marks = $3",
        machine,
        from,
        marks,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// By table, from the finest to the coarsest.
static STATEMENTS: LazyLock<[String; 3]> = LazyLock::new(|| {
    ["telemetry_rollups_10s", "telemetry_rollups_1m", "telemetry_rollups_1h"]
        .map(rollup_copy::statement)
});

/// Machines that a branch has or had, with their codes.
pub async fn machines_of(
    db: &mut PgConnection,
    branch: BranchId,
) -> sqlx::Result<Vec<(DeviceId, String)>> {
    let rows = query!(
        r#"SELECT id AS "id: DeviceId", code FROM devices
           WHERE branch_id = $1 AND kind = 'machine' ORDER BY code, id"#,
        branch.0,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.id, row.code)).collect())
}

/// What a machine measured between two moments, step by step. The caller bounds how many steps that are.
pub async fn series(
    db: &mut PgConnection,
    machine: DeviceId,
    from: OffsetDateTime,
    to: OffsetDateTime,
    every: Every,
) -> sqlx::Result<Vec<Point>> {
    let machine = machine.0;
    match every {
        Every::TenSeconds => {
            query_as!(
                Point,
                r#"SELECT at, samples,
                          jsonb_strip_nulls(to_jsonb(step) - '{machine_id,branch_id,at,samples}'::text[]) AS "values!"
                   FROM telemetry_rollups_10s AS step
                   WHERE machine_id = $1 AND at >= $2 AND at < $3 ORDER BY at"#,
                machine,
                from,
                to,
            )
            .fetch_all(db)
            .await
        }
        Every::Minute => {
            query_as!(
                Point,
                r#"SELECT at, samples,
                          jsonb_strip_nulls(to_jsonb(step) - '{machine_id,branch_id,at,samples}'::text[]) AS "values!"
                   FROM telemetry_rollups_1m AS step
                   WHERE machine_id = $1 AND at >= $2 AND at < $3 ORDER BY at"#,
                machine,
                from,
                to,
            )
            .fetch_all(db)
            .await
        }
        Every::Hour => {
            query_as!(
                Point,
                r#"SELECT at, samples,
                          jsonb_strip_nulls(to_jsonb(step) - '{machine_id,branch_id,at,samples}'::text[]) AS "values!"
                   FROM telemetry_rollups_1h AS step
                   WHERE machine_id = $1 AND at >= $2 AND at < $3 ORDER BY at"#,
                machine,
                from,
                to,
            )
            .fetch_all(db)
            .await
        }
    }
}
