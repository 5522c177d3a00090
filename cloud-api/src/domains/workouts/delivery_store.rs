//! SQL of what machines deliver over HTTPS.

use super::delivery::Refused;
use crate::ids::{BranchId, DeviceId};
use sqlx::{PgConnection, query, query_scalar};
use std::collections::HashSet;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Remembers records; gives those that are new. In order, so that two deliveries of the same wait for each other once.
pub async fn remember(
    db: &mut PgConnection,
    device: DeviceId,
    records: &[Uuid],
    is_rejected: bool,
    now: OffsetDateTime,
) -> sqlx::Result<HashSet<Uuid>> {
    let mut records = records.to_vec();
    records.sort_unstable();
    records.dedup();
    let new = query_scalar!(
        "INSERT INTO device_records (device_id, record_id, received_at, is_rejected)
         SELECT $1, record_id, $3, $4 FROM UNNEST($2::uuid[]) AS delivered (record_id)
         ORDER BY record_id
         ON CONFLICT ON CONSTRAINT device_records_pkey
         DO UPDATE SET is_rejected = false, received_at = $3
         WHERE device_records.is_rejected AND NOT $4
         RETURNING record_id",
        device.0,
        &records,
        now,
        is_rejected,
    );
    Ok(new.fetch_all(db).await?.into_iter().collect())
}

/// Fresh positions for what no edge has journaled.
pub async fn positions(db: &mut PgConnection, count: usize) -> sqlx::Result<Vec<i64>> {
    query_scalar!(
        r#"SELECT nextval('cloud_facts_seq') AS "seq!" FROM generate_series(1, $1)"#,
        i32::try_from(count).unwrap_or(0),
    )
    .fetch_all(db)
    .await
}

/// Of a device and hour so many rejects are kept in full, the others counted.
const IN_FULL: i64 = 100;
/// Of what was refused, so much is kept.
const PAYLOAD_BYTES: usize = 256;

/// Keeps what was refused, with its reason.
pub async fn reject(
    db: &mut PgConnection,
    (branch, device): (BranchId, DeviceId),
    seq: i64,
    (refused, payload): (&Refused, &str),
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let payload = payload.as_bytes();
    query!(
        "INSERT INTO ingest_rejects
           (edge_id, epoch, seq, branch_id, device_id, boot, mono_ms, at, is_dated, received_at,
            topic, code, field, message, payload, count)
         VALUES ($1, 0, $2, $3, $4, 0, 0, $5, true, $5, 'workout-data', $6, $7, $8, $9, 1)",
        Uuid::nil(),
        seq,
        branch.0,
        device.0,
        now,
        refused.code,
        refused.field.as_deref().map(clean),
        clean(&refused.message),
        &payload[..payload.len().min(PAYLOAD_BYTES)],
    )
    .execute(db)
    .await?;
    Ok(())
}

fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// How many more of a device may be kept in full.
pub async fn room(
    db: &mut PgConnection,
    device: DeviceId,
    now: OffsetDateTime,
) -> sqlx::Result<usize> {
    let kept = query_scalar!(
        r#"SELECT count(*) AS "kept!" FROM ingest_rejects WHERE device_id = $1 AND received_at > $2"#,
        device.0,
        now - Duration::HOUR,
    );
    let kept = kept.fetch_one(db).await?;
    Ok(usize::try_from(IN_FULL - kept).unwrap_or(0))
}

/// Counts what is not kept in full with the newest reject of the device.
pub async fn count(db: &mut PgConnection, device: DeviceId, more: i64) -> sqlx::Result<()> {
    query!(
        "UPDATE ingest_rejects SET count = count + $2 WHERE (edge_id, epoch, seq) =
             (SELECT edge_id, epoch, seq FROM ingest_rejects WHERE device_id = $1
              ORDER BY received_at DESC, seq DESC LIMIT 1)",
        device.0,
        more,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets records that nobody delivers again.
pub async fn forget_before(db: &mut PgConnection, before: OffsetDateTime) -> sqlx::Result<()> {
    query!("DELETE FROM device_records WHERE received_at < $1", before).execute(db).await?;
    Ok(())
}
