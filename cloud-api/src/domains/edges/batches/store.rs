//! SQL of batches: how far an epoch is applied, offsets of boots, what was set aside.

use super::unpack::SetAside;
use crate::domains::edges::caller::EdgeCaller;
use crate::domains::telemetry::Delivery;
use crate::ids::{BranchId, DeviceId, EdgeId};
use protocol::time::Stamp;
use sqlx::{PgConnection, query, query_as, query_scalar};
use std::collections::{HashMap, HashSet};
use time::OffsetDateTime;
use uuid::Uuid;

/// How far an epoch is applied.
#[derive(Debug, Default)]
pub struct Standing {
    /// Everything up to here.
    pub acked_seq: i64,
    /// Behind it, events that went ahead of their batch.
    pub ahead: Vec<i64>,
}

/// How far an epoch is applied. Its row stays locked: batches of an epoch come one after the other. An edge that
/// was enrolled again has a new id and the same journal: it goes on where it was.
pub async fn lock_epoch(
    db: &mut PgConnection,
    caller: &EdgeCaller,
    epoch: u64,
    now: OffsetDateTime,
) -> sqlx::Result<Standing> {
    if let Some(known) = lock_known(db, caller.edge, epoch).await? {
        return Ok(known);
    }
    query!(
        "INSERT INTO edge_epochs (edge_id, epoch, acked_seq, ahead, opened_at, applied_at)
         SELECT $1, $2, coalesce(former.acked_seq, 0), coalesce(former.ahead, '{}'), $3, $3
         FROM (SELECT) AS one LEFT JOIN LATERAL (
             SELECT acked_seq, ahead FROM edge_epochs JOIN edges ON edges.id = edge_id AND branch_id = $4
             WHERE epoch = $2 ORDER BY acked_seq DESC, edge_epochs.applied_at DESC LIMIT 1
         ) AS former ON true
         ON CONFLICT ON CONSTRAINT edge_epochs_pkey DO NOTHING",
        caller.edge.0,
        epoch.cast_signed(),
        now,
        caller.branch.0,
    )
    .execute(&mut *db)
    .await?;
    Ok(lock_known(db, caller.edge, epoch).await?.unwrap_or_default())
}

async fn lock_known(
    db: &mut PgConnection,
    edge: EdgeId,
    epoch: u64,
) -> sqlx::Result<Option<Standing>> {
    query_as!(
        Standing,
        "SELECT acked_seq, ahead FROM edge_epochs WHERE edge_id = $1 AND epoch = $2 FOR UPDATE",
        edge.0,
        epoch.cast_signed(),
    )
    .fetch_optional(db)
    .await
}

pub async fn ack(
    db: &mut PgConnection,
    edge: EdgeId,
    epoch: u64,
    standing: &Standing,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE edge_epochs SET acked_seq = $3, ahead = $4, applied_at = $5
         WHERE edge_id = $1 AND epoch = $2",
        edge.0,
        epoch.cast_signed(),
        standing.acked_seq,
        &standing.ahead,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// All devices that a branch has or had: what a removed one sent before may still be on its way.
pub async fn devices(db: &mut PgConnection, branch: BranchId) -> sqlx::Result<HashSet<DeviceId>> {
    let ids = query_scalar!("SELECT id FROM devices WHERE branch_id = $1", branch.0);
    Ok(ids.fetch_all(db).await?.into_iter().collect())
}

/// Of some boots, those with a known offset: it, and the monotonic time it was learned at.
pub async fn offsets(
    db: &mut PgConnection,
    edge: EdgeId,
    boots: impl Iterator<Item = u64>,
) -> sqlx::Result<HashMap<u64, (i64, u64)>> {
    let boots: HashSet<i64> = boots.map(u64::cast_signed).collect();
    if boots.is_empty() {
        return Ok(HashMap::new());
    }
    let boots: Vec<i64> = boots.into_iter().collect();
    let rows = query!(
        "SELECT boot, offset_ms, mono_ms FROM edge_boots WHERE edge_id = $1 AND boot = ANY($2)",
        edge.0,
        &boots,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    let known =
        rows.map(|row| (row.boot.cast_unsigned(), (row.offset_ms, row.mono_ms.cast_unsigned())));
    Ok(known.collect())
}

pub async fn learn_offset(db: &mut PgConnection, edge: EdgeId, stamp: &Stamp) -> sqlx::Result<()> {
    query!(
        "INSERT INTO edge_boots (edge_id, boot, offset_ms, mono_ms) VALUES ($1, $2, $3, $4)
         ON CONFLICT ON CONSTRAINT edge_boots_pkey DO UPDATE SET offset_ms = $3, mono_ms = $4",
        edge.0,
        stamp.boot.cast_signed(),
        stamp.offset_ms(),
        stamp.mono_ms.cast_signed(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Remembers a boot that nobody can date yet.
pub async fn note_undated(
    db: &mut PgConnection,
    edge: EdgeId,
    boot: u64,
    last_mono_ms: u64,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO edge_undated_boots (edge_id, boot, last_mono_ms) VALUES ($1, $2, $3)
         ON CONFLICT ON CONSTRAINT edge_undated_boots_pkey
         DO UPDATE SET last_mono_ms = greatest(edge_undated_boots.last_mono_ms, $3)",
        edge.0,
        boot.cast_signed(),
        last_mono_ms.cast_signed(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes the boots that were never dated, the latest first, with the last that is known of each. `dated` is dated now.
pub async fn take_undated(
    db: &mut PgConnection,
    edge: EdgeId,
    dated: u64,
) -> sqlx::Result<Vec<(u64, u64)>> {
    let mut taken = query!(
        "DELETE FROM edge_undated_boots WHERE edge_id = $1 RETURNING boot, n, last_mono_ms",
        edge.0,
    )
    .fetch_all(db)
    .await?;
    taken.sort_by_key(|row| std::cmp::Reverse(row.n));
    let others = taken.into_iter().filter(|row| row.boot.cast_unsigned() != dated);
    Ok(others.map(|row| (row.boot.cast_unsigned(), row.last_mono_ms.cast_unsigned())).collect())
}

pub async fn set_aside(
    db: &mut PgConnection,
    delivery: Delivery,
    parts: &[SetAside],
) -> sqlx::Result<()> {
    if parts.is_empty() {
        return Ok(());
    }
    let each = parts.iter();
    query!(
        "INSERT INTO set_aside
           (id, branch_id, edge_id, epoch, received_at, seq, kind, device_id, reason, detail, content)
         SELECT part.id, $1, $2, $3, $4, seq, kind, device_id, reason, detail, content
         FROM UNNEST($5::uuid[], $6::bigint[], $7::text[], $8::uuid[], $9::text[], $10::text[], $11::bytea[])
              AS part (id, seq, kind, device_id, reason, detail, content)",
        delivery.branch.0,
        delivery.edge.0,
        delivery.epoch.cast_signed(),
        delivery.received_at,
        &each.clone().map(|_| Uuid::now_v7()).collect::<Vec<_>>(),
        &each.clone().map(|part| part.seq).collect::<Vec<_>>(),
        &each.clone().map(|part| part.kind.to_owned()).collect::<Vec<_>>(),
        &each.clone().map(|part| part.device.map(|id| id.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &each.clone().map(|part| part.reason.to_owned()).collect::<Vec<_>>(),
        &each.clone().map(|part| part.detail.replace('\0', "\u{fffd}")).collect::<Vec<_>>(),
        &each.map(|part| part.content.clone()).collect::<Vec<_>>(),
    )
    .execute(db)
    .await?;
    Ok(())
}
