//! When things happened: what to add to the monotonic time of each boot of an edge.

use super::store;
use super::unpack::Unpacked;
use crate::domains::telemetry::Redate;
use crate::ids::EdgeId;
use crate::jobs;
use protocol::time::{Stamp, wall_at};
use sqlx::PgConnection;
use std::collections::HashMap;
use time::OffsetDateTime;

/// Offsets of the boots of an edge whose clock was synced at some time.
#[derive(Debug, Default)]
pub struct Offsets(HashMap<u64, i64>);

impl Offsets {
    /// Unix milliseconds of a monotonic time near a stamp, and whether they are certain.
    pub fn date(&self, stamp: &Stamp, mono_ms: u64) -> (i64, bool) {
        match self.0.get(&stamp.boot) {
            _ if stamp.synced => (wall_at(mono_ms, stamp.offset_ms()), true),
            Some(&offset_ms) => (wall_at(mono_ms, offset_ms), true),
            None => (wall_at(mono_ms, stamp.offset_ms()), false),
        }
    }
}

/// Learns from the batch's synced stamps, and dates what has no date of its own. What arrived earlier without
/// one is dated by a job.
pub async fn settle(
    db: &mut PgConnection,
    edge: EdgeId,
    batch: &mut Unpacked,
    now: OffsetDateTime,
) -> anyhow::Result<Offsets> {
    let synced = std::mem::take(&mut batch.synced);
    let known = store::offsets(db, edge, synced.keys().copied()).await?;
    for (boot, stamp) in &synced {
        let is_news = known.get(boot).is_none_or(|&(offset_ms, mono_ms)| {
            stamp.mono_ms > mono_ms && stamp.offset_ms().abs_diff(offset_ms) > NEWS_MS
        });
        if is_news {
            store::learn_offset(db, edge, stamp).await?;
        }
        if !known.contains_key(boot) {
            place_earlier(db, edge, stamp, now).await?;
            jobs::enqueue(db, &Redate { edge, boot: *boot }, now).await?;
        }
    }
    let undated = batch.undated_boots();
    let known = store::offsets(db, edge, undated.keys().copied()).await?;
    let offsets: HashMap<_, _> =
        known.into_iter().map(|(boot, (offset_ms, _))| (boot, offset_ms)).collect();
    for (boot, last_mono_ms) in undated.iter().filter(|(boot, _)| !offsets.contains_key(boot)) {
        store::note_undated(db, edge, *boot, *last_mono_ms).await?;
    }
    for chunk in batch.chunks.iter_mut().filter(|chunk| !chunk.is_dated) {
        if let Some(&offset_ms) = offsets.get(&chunk.boot) {
            chunk.date(offset_ms)?;
            chunk.is_dated = true;
        }
    }
    Ok(Offsets(offsets))
}

/// Starts before this one whose time nobody will ever know: each ends when the next one begins, as if the computer had never
/// been off. The edge's own floor counts the same way.
async fn place_earlier(
    db: &mut PgConnection,
    edge: EdgeId,
    synced: &Stamp,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let mut begun_ms = synced.offset_ms();
    let mut placed = Vec::new();
    for (boot, last_mono_ms) in store::take_undated(db, edge, synced.boot).await? {
        let wall_ms = begun_ms;
        let end = Stamp { boot, mono_ms: last_mono_ms, wall_ms, synced: false };
        begun_ms = end.offset_ms();
        store::learn_offset(db, edge, &end).await?;
        placed.push(boot);
    }
    // The oldest first: what comes later is then folded behind it.
    for boot in placed.into_iter().rev() {
        jobs::enqueue(db, &Redate { edge, boot }, now).await?;
    }
    Ok(())
}

/// A clock that is slewed drifts by milliseconds; only a real correction is worth learning.
const NEWS_MS: u64 = 1_000;
