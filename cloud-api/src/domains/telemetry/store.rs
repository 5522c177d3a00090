//! SQL of chunks, and of the hours that they put out of date.

use super::chunk::Chunk;
use crate::clock::at_ms;
use crate::ids::{BranchId, DeviceId, EdgeId};
use protocol::machine::columns::{self, TimedSample};
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

/// What a chunk is found by.
#[derive(Debug, Clone)]
pub struct ChunkKey {
    pub received_at: OffsetDateTime,
    pub edge_id: Uuid,
    pub epoch: i64,
    pub first_seq: i64,
    pub ordinal: i32,
}

/// A chunk as it is stored.
#[derive(Debug)]
pub struct Stored {
    pub key: ChunkKey,
    pub received_at: OffsetDateTime,
    pub to_at: OffsetDateTime,
    /// What to add to its monotonic times.
    pub offset_ms: i64,
    pub columns: Vec<u8>,
}

struct Row {
    received_at: OffsetDateTime,
    edge_id: Uuid,
    epoch: i64,
    first_seq: i64,
    ordinal: i32,
    to_at: OffsetDateTime,
    offset_ms: i64,
    columns: Vec<u8>,
}

impl Row {
    fn stored(self) -> Stored {
        let Self { received_at, edge_id, epoch, first_seq, ordinal, .. } = self;
        Stored {
            key: ChunkKey { received_at, edge_id, epoch, first_seq, ordinal },
            received_at,
            to_at: self.to_at,
            offset_ms: self.offset_ms,
            columns: self.columns,
        }
    }
}

/// Chunks with samples between two moments.
pub async fn chunks_between(
    db: &mut PgConnection,
    machine: DeviceId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> sqlx::Result<Vec<Stored>> {
    let rows = query_as!(
        Row,
        "SELECT received_at, edge_id, epoch, first_seq, ordinal, to_at, offset_ms, columns
         FROM telemetry_chunks WHERE machine_id = $1 AND to_at >= $2 AND from_at < $3",
        machine.0,
        from,
        to,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(Row::stored).collect())
}

/// The same, kept from others: who writes them anew does so one after the other.
pub async fn hold_between(
    db: &mut PgConnection,
    machine: DeviceId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> sqlx::Result<Vec<Stored>> {
    let rows = query_as!(
        Row,
        "SELECT received_at, edge_id, epoch, first_seq, ordinal, to_at, offset_ms, columns
         FROM telemetry_chunks WHERE machine_id = $1 AND to_at >= $2 AND from_at < $3
         ORDER BY received_at, edge_id, epoch, first_seq, ordinal FOR UPDATE",
        machine.0,
        from,
        to,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(Row::stored).collect())
}

/// Chunks whose first sample is between two moments and whose dates are certain, the first first; kept from others.
pub async fn chunks_begun(
    db: &mut PgConnection,
    machine: DeviceId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> sqlx::Result<Vec<Stored>> {
    let rows = query_as!(
        Row,
        "SELECT received_at, edge_id, epoch, first_seq, ordinal, to_at, offset_ms, columns
         FROM telemetry_chunks
         WHERE machine_id = $1 AND to_at >= $2 AND from_at >= $2 AND from_at < $3 AND is_dated
         ORDER BY received_at, edge_id, epoch, first_seq, ordinal FOR UPDATE",
        machine.0,
        from,
        to,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(Row::stored).collect())
}

/// Replaces the samples of a chunk.
pub async fn set_columns(
    db: &mut PgConnection,
    key: &ChunkKey,
    columns: &[u8],
) -> sqlx::Result<()> {
    query!(
        "UPDATE telemetry_chunks SET columns = $6
         WHERE received_at = $1 AND edge_id = $2 AND epoch = $3 AND first_seq = $4 AND ordinal = $5",
        key.received_at,
        key.edge_id,
        key.epoch,
        key.first_seq,
        key.ordinal,
        columns,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Replaces chunks by the first of them with all samples, which are in order and have Unix milliseconds.
pub async fn replace_by_one(
    db: &mut PgConnection,
    chunks: &[Stored],
    samples: &[TimedSample],
) -> sqlx::Result<()> {
    let at = |timed: Option<&TimedSample>| at_ms(timed.map_or(0, |one| one.mono_ms.cast_signed()));
    for (place, Stored { key, .. }) in chunks.iter().enumerate() {
        if place > 0 {
            query!(
                "DELETE FROM telemetry_chunks WHERE received_at = $1 AND edge_id = $2 AND epoch = $3
                   AND first_seq = $4 AND ordinal = $5",
                key.received_at,
                key.edge_id,
                key.epoch,
                key.first_seq,
                key.ordinal,
            )
            .execute(&mut *db)
            .await?;
            continue;
        }
        query!(
            "UPDATE telemetry_chunks SET boot = 0, offset_ms = 0, from_at = $6, to_at = $7,
                 count = $8, columns = $9
             WHERE received_at = $1 AND edge_id = $2 AND epoch = $3 AND first_seq = $4
               AND ordinal = $5",
            key.received_at,
            key.edge_id,
            key.epoch,
            key.first_seq,
            key.ordinal,
            at(samples.first()),
            at(samples.last()),
            i32::try_from(samples.len()).unwrap_or(i32::MAX),
            columns::encode(samples),
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}
