//! SQL of the domain. Rows arrive as JSON lists, one statement per table; the columns are checked when this is
//! compiled.

use super::rows::Rows;
use crate::domains::telemetry::Delivery;
use crate::ids::{BranchId, DeviceId, EdgeId};
use serde_json::Value;
use sqlx::{PgConnection, query, query_scalar};
use std::collections::HashSet;
use time::OffsetDateTime;
use uuid::Uuid;

/// Inserts rows. Gives the positions of those that were there before, by their position or by their own id.
pub async fn insert(db: &mut PgConnection, rows: Rows) -> sqlx::Result<Vec<i64>> {
    let mut repeated = Vec::new();
    for rows in rows.taps.chunks(AT_ONCE) {
        repeated.extend(missing(rows, &insert_taps(db, rows).await?));
    }
    for rows in rows.decisions.chunks(AT_ONCE) {
        repeated.extend(missing(rows, &insert_decisions(db, rows).await?));
    }
    for rows in rows.sets.chunks(AT_ONCE) {
        repeated.extend(missing(rows, &insert_sets(db, rows).await?));
    }
    for rows in rows.statuses.chunks(AT_ONCE) {
        repeated.extend(missing(rows, &insert_statuses(db, rows).await?));
    }
    for rows in rows.maintenance.chunks(AT_ONCE) {
        repeated.extend(missing(rows, &insert_maintenance(db, rows).await?));
    }
    for rows in rows.command_results.chunks(AT_ONCE) {
        repeated.extend(missing(rows, &insert_command_results(db, rows).await?));
    }
    for rows in rows.rejects.chunks(AT_ONCE) {
        repeated.extend(missing(rows, &insert_rejects(db, rows).await?));
    }
    for rows in rows.gaps.chunks(AT_ONCE) {
        repeated.extend(missing(rows, &insert_gaps(db, rows).await?));
    }
    for rows in rows.notices.chunks(AT_ONCE) {
        repeated.extend(missing(rows, &insert_notices(db, rows).await?));
    }
    Ok(repeated)
}

/// Rows per statement: Postgres holds one JSON value of them in memory.
const AT_ONCE: usize = 5_000;

fn missing(rows: &[Value], stored: &[i64]) -> Vec<i64> {
    let stored: HashSet<_> = stored.iter().collect();
    let sent = rows.iter().filter_map(|row| row["seq"].as_i64());
    sent.filter(|seq| !stored.contains(seq)).collect()
}

async fn insert_taps(db: &mut PgConnection, rows: &[Value]) -> sqlx::Result<Vec<i64>> {
    query_scalar!(
        "INSERT INTO taps
           (edge_id, epoch, seq, branch_id, device_id, bridge_id, boot, mono_ms, at, is_dated,
            received_at, tap_id, credential_kind, credential, age_ms)
         SELECT
            edge_id, epoch, seq, branch_id, device_id, bridge_id, boot, mono_ms, at, is_dated,
            received_at, tap_id, credential_kind, credential, age_ms
         FROM jsonb_populate_recordset(NULL::taps, $1)
         ON CONFLICT DO NOTHING RETURNING seq",
        Value::from(rows),
    )
    .fetch_all(db)
    .await
}

async fn insert_decisions(db: &mut PgConnection, rows: &[Value]) -> sqlx::Result<Vec<i64>> {
    query_scalar!(
        "INSERT INTO decisions
           (edge_id, epoch, seq, branch_id, boot, mono_ms, at, is_dated, received_at, tap_id,
            reader_id, member_id, credential_id, card, sun_counter, outcome, action, reason,
            time_uncertain)
         SELECT
            edge_id, epoch, seq, branch_id, boot, mono_ms, at, is_dated, received_at, tap_id,
            reader_id, member_id, credential_id, card, sun_counter, outcome, action, reason,
            time_uncertain
         FROM jsonb_populate_recordset(NULL::decisions, $1)
         ON CONFLICT DO NOTHING RETURNING seq",
        Value::from(rows),
    )
    .fetch_all(db)
    .await
}

async fn insert_sets(db: &mut PgConnection, rows: &[Value]) -> sqlx::Result<Vec<i64>> {
    query_scalar!(
        "INSERT INTO finished_sets
           (edge_id, epoch, seq, branch_id, device_id, bridge_id, boot, mono_ms, at, is_dated,
            received_at, set_id, device_seq, device_boot, exercise, reps, weight_cg,
            duration_ms, rom_mm)
         SELECT
            edge_id, epoch, seq, branch_id, device_id, bridge_id, boot, mono_ms, at, is_dated,
            received_at, set_id, device_seq, device_boot, exercise, reps, weight_cg,
            duration_ms, rom_mm
         FROM jsonb_populate_recordset(NULL::finished_sets, $1)
         ON CONFLICT DO NOTHING RETURNING seq",
        Value::from(rows),
    )
    .fetch_all(db)
    .await
}

async fn insert_statuses(db: &mut PgConnection, rows: &[Value]) -> sqlx::Result<Vec<i64>> {
    query_scalar!(
        "INSERT INTO device_statuses
           (edge_id, epoch, seq, branch_id, device_id, bridge_id, boot, mono_ms, at, is_dated,
            received_at, state, firmware, uptime_ms, error)
         SELECT
            edge_id, epoch, seq, branch_id, device_id, bridge_id, boot, mono_ms, at, is_dated,
            received_at, state, firmware, uptime_ms, error
         FROM jsonb_populate_recordset(NULL::device_statuses, $1)
         ON CONFLICT DO NOTHING RETURNING seq",
        Value::from(rows),
    )
    .fetch_all(db)
    .await
}

async fn insert_maintenance(db: &mut PgConnection, rows: &[Value]) -> sqlx::Result<Vec<i64>> {
    query_scalar!(
        "INSERT INTO maintenance_reports
           (edge_id, epoch, seq, branch_id, device_id, bridge_id, boot, mono_ms, at, is_dated,
            received_at, code, severity, message)
         SELECT
            edge_id, epoch, seq, branch_id, device_id, bridge_id, boot, mono_ms, at, is_dated,
            received_at, code, severity, message
         FROM jsonb_populate_recordset(NULL::maintenance_reports, $1)
         ON CONFLICT DO NOTHING RETURNING seq",
        Value::from(rows),
    )
    .fetch_all(db)
    .await
}

async fn insert_command_results(db: &mut PgConnection, rows: &[Value]) -> sqlx::Result<Vec<i64>> {
    query_scalar!(
        "INSERT INTO command_results
           (edge_id, epoch, seq, branch_id, device_id, bridge_id, boot, mono_ms, at, is_dated,
            received_at, command_id, outcome, detail)
         SELECT
            edge_id, epoch, seq, branch_id, device_id, bridge_id, boot, mono_ms, at, is_dated,
            received_at, command_id, outcome, detail
         FROM jsonb_populate_recordset(NULL::command_results, $1)
         ON CONFLICT DO NOTHING RETURNING seq",
        Value::from(rows),
    )
    .fetch_all(db)
    .await
}

async fn insert_rejects(db: &mut PgConnection, rows: &[Value]) -> sqlx::Result<Vec<i64>> {
    query_scalar!(
        "INSERT INTO ingest_rejects
           (edge_id, epoch, seq, branch_id, device_id, bridge_id, boot, mono_ms, at, is_dated,
            received_at, topic, code, field, message, payload, count)
         SELECT
            edge_id, epoch, seq, branch_id, device_id, bridge_id, boot, mono_ms, at, is_dated,
            received_at, topic, code, field, message, payload, count
         FROM jsonb_populate_recordset(NULL::ingest_rejects, $1)
         ON CONFLICT DO NOTHING RETURNING seq",
        Value::from(rows),
    )
    .fetch_all(db)
    .await
}

async fn insert_gaps(db: &mut PgConnection, rows: &[Value]) -> sqlx::Result<Vec<i64>> {
    query_scalar!(
        r#"INSERT INTO gaps
           (id, branch_id, edge_id, epoch, seq, stream, reason, first_seq, last_seq, count,
            received_at)
         SELECT
            id, branch_id, edge_id, epoch, seq, stream, reason, first_seq, last_seq, count,
            received_at
         FROM jsonb_populate_recordset(NULL::gaps, $1)
         ON CONFLICT DO NOTHING RETURNING seq"#,
        Value::from(rows),
    )
    .fetch_all(db)
    .await
}

async fn insert_notices(db: &mut PgConnection, rows: &[Value]) -> sqlx::Result<Vec<i64>> {
    query_scalar!(
        r#"INSERT INTO notices
           (id, branch_id, edge_id, epoch, seq, code, detail, at, received_at)
         SELECT
            id, branch_id, edge_id, epoch, seq, code, detail, at, received_at
         FROM jsonb_populate_recordset(NULL::notices, $1)
         ON CONFLICT DO NOTHING RETURNING seq AS "seq!""#,
        Value::from(rows),
    )
    .fetch_all(db)
    .await
}

/// Telemetry that came after the time it is kept for.
pub async fn too_late(
    db: &mut PgConnection,
    delivery: Delivery,
    machine: DeviceId,
    (first_seq, last_seq): (i64, i64),
    count: i64,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO gaps (id, branch_id, edge_id, epoch, seq, device_id, stream, reason, first_seq,
                           last_seq, count, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, 'telemetry', 'too_late', $5, $7, $8, $9)",
        Uuid::now_v7(),
        delivery.branch.0,
        delivery.edge.0,
        delivery.epoch.cast_signed(),
        first_seq,
        machine.0,
        last_seq,
        count,
        delivery.received_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Something the cloud itself found, that staff should know.
pub async fn notice(
    db: &mut PgConnection,
    branch: BranchId,
    edge: Option<EdgeId>,
    code: &str,
    detail: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO notices (id, branch_id, edge_id, code, detail, at, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
        Uuid::now_v7(),
        branch.0,
        edge.map(|edge| edge.0),
        code,
        detail,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}
