//! SQL of chunks, and of the hours that they put out of date.

use super::chunk::Chunk;
use crate::ids::{BranchId, DeviceId, EdgeId};
use sqlx::{PgConnection, query, query_as};
use std::collections::BTreeSet;
use time::OffsetDateTime;
use uuid::Uuid;

/// Where chunks came from.
#[derive(Debug, Clone, Copy)]
pub struct Delivery {
    pub edge: EdgeId,
    pub branch: BranchId,
    pub epoch: u64,
    pub first_seq: i64,
    pub received_at: OffsetDateTime,
}

/// Stores chunks and marks their hours, in one statement each.
pub async fn insert_chunks(
    db: &mut PgConnection,
    delivery: Delivery,
    chunks: &[Chunk],
) -> sqlx::Result<()> {
    if chunks.is_empty() {
        return Ok(());
    }
    make_partition(db, delivery.received_at).await?;
    query!(
        "INSERT INTO telemetry_chunks
           (received_at, edge_id, epoch, first_seq, branch_id, ordinal, machine_id, boot, offset_ms,
            is_dated, from_at, to_at, count, columns)
         SELECT $1, $2, $3, $4, $5, chunk.*
         FROM UNNEST($6::int[], $7::uuid[], $8::bigint[], $9::bigint[], $10::boolean[],
                     $11::timestamptz[], $12::timestamptz[], $13::int[], $14::bytea[]) AS chunk",
        delivery.received_at,
        delivery.edge.0,
        delivery.epoch.cast_signed(),
        delivery.first_seq,
        delivery.branch.0,
        &each(chunks, |chunk| chunk.ordinal),
        &each(chunks, |chunk| chunk.machine.0),
        &each(chunks, |chunk| chunk.boot.cast_signed()),
        &each(chunks, |chunk| chunk.offset_ms),
        &each(chunks, |chunk| chunk.is_dated),
        &each(chunks, |chunk| chunk.from),
        &each(chunks, |chunk| chunk.to),
        &each(chunks, |chunk| chunk.count),
        &each(chunks, |chunk| chunk.columns.as_slice()) as &[&[u8]],
    )
    .execute(&mut *db)
    .await?;
    let hours =
        chunks.iter().flat_map(|chunk| chunk.hours.iter().map(|hour| (chunk.machine, *hour)));
    mark_dirty(db, delivery.branch, &hours.collect(), delivery.received_at).await
}

fn each<'a, T>(chunks: &'a [Chunk], value: impl Fn(&'a Chunk) -> T) -> Vec<T> {
    chunks.iter().map(value).collect()
}

/// Marks hours of machines as out of date. Sorted, so that two transactions never wait for each other.
pub async fn mark_dirty(
    db: &mut PgConnection,
    branch: BranchId,
    hours: &BTreeSet<(DeviceId, OffsetDateTime)>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let (machines, hours): (Vec<Uuid>, Vec<_>) =
        hours.iter().map(|(machine, hour)| (machine.0, *hour)).unzip();
    query!(
        "INSERT INTO dirty_hours (machine_id, hour, branch_id, marks, first_marked_at, last_marked_at)
         SELECT machine_id, hour, $3, 1, $4, $4
         FROM UNNEST($1::uuid[], $2::timestamptz[]) AS dirty (machine_id, hour)
         ORDER BY machine_id, hour
         ON CONFLICT ON CONSTRAINT dirty_hours_pkey
         DO UPDATE SET marks = dirty_hours.marks + 1, last_marked_at = $4",
        &machines,
        &hours,
        branch.0,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Makes the partition for chunks received at that time, if it is missing.
pub async fn make_partition(db: &mut PgConnection, at: OffsetDateTime) -> sqlx::Result<()> {
    query!("SELECT make_telemetry_partition($1)", at.date()).fetch_one(db).await?;
    Ok(())
}

/// Drops what was received before, and roll-ups of the finest step from before.
pub async fn drop_before(db: &mut PgConnection, before: OffsetDateTime) -> sqlx::Result<()> {
    query!("SELECT drop_telemetry_partitions($1)", before).fetch_one(&mut *db).await?;
    query!("DELETE FROM telemetry_rollups_10s WHERE at < $1", before).execute(db).await?;
    Ok(())
}

/// A stored chunk whose date is not certain.
pub struct Undated {
    pub received_at: OffsetDateTime,
    pub epoch: i64,
    pub first_seq: i64,
    pub ordinal: i32,
    pub branch_id: BranchId,
    pub machine_id: DeviceId,
    pub offset_ms: i64,
    pub columns: Vec<u8>,
}

pub async fn undated(
    db: &mut PgConnection,
    edge: EdgeId,
    boot: u64,
    limit: i64,
) -> sqlx::Result<Vec<Undated>> {
    query_as!(
        Undated,
        "SELECT received_at, epoch, first_seq, ordinal, branch_id, machine_id, offset_ms, columns
         FROM telemetry_chunks WHERE edge_id = $1 AND boot = $2 AND NOT is_dated
         LIMIT $3 FOR UPDATE",
        edge.0,
        boot.cast_signed(),
        limit,
    )
    .fetch_all(db)
    .await
}

pub async fn redate(
    db: &mut PgConnection,
    edge: EdgeId,
    old: &Undated,
    dated: &Chunk,
) -> sqlx::Result<()> {
    query!(
        "UPDATE telemetry_chunks SET is_dated = true, offset_ms = $6, from_at = $7, to_at = $8
         WHERE received_at = $1 AND edge_id = $2 AND epoch = $3 AND first_seq = $4 AND ordinal = $5",
        old.received_at,
        edge.0,
        old.epoch,
        old.first_seq,
        old.ordinal,
        dated.offset_ms,
        dated.from,
        dated.to,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What to add to monotonic times of a boot, if a synced stamp of it is known.
pub async fn offset_ms(
    db: &mut PgConnection,
    edge: EdgeId,
    boot: u64,
) -> sqlx::Result<Option<i64>> {
    let row = query!(
        "SELECT offset_ms FROM edge_boots WHERE edge_id = $1 AND boot = $2",
        edge.0,
        boot.cast_signed(),
    );
    Ok(row.fetch_optional(db).await?.map(|row| row.offset_ms))
}

/// Chunks with samples between two moments: what to add to their monotonic times, and the samples.
pub async fn columns_between(
    db: &mut PgConnection,
    machine: DeviceId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> sqlx::Result<Vec<(i64, Vec<u8>)>> {
    let rows = query!(
        "SELECT offset_ms, columns FROM telemetry_chunks
         WHERE machine_id = $1 AND to_at >= $2 AND from_at < $3",
        machine.0,
        from,
        to,
    );
    let rows = rows.fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| (row.offset_ms, row.columns)).collect())
}
