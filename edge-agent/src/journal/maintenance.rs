//! What the writer does between commits, in units of at most about 20 ms: snapshots of the repeats, deleting what
//! the cloud has, checkpoints, figures.

use super::commit::{self, Written};
use super::connection::PAGE_BYTES;
use super::disk;
use super::epochs::Epochs;
use super::intake::add_event;
use super::reader::{Reader, lock};
use super::schema;
use super::stats::Mode;
use super::upkeep::{SNAPSHOT_FOR_DELETION, Salvage};
use super::writer::Writer;
use protocol::sync::state::Position;
use rusqlite::{Connection, TransactionBehavior};
use std::time::Duration;
use tokio::time::Instant;

const PAUSE_BETWEEN_UNITS: Duration = Duration::from_millis(50);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);
const PAUSE_BETWEEN_LOOKS: Duration = Duration::from_millis(100);

impl Writer {
    /// One unit of what there is to do; `false` if there is nothing.
    pub(super) fn upkeep_unit(&mut self) -> bool {
        let started = Instant::now();
        if self.failed.is_some() || started < self.upkeep.paused_until {
            return false;
        }
        self.upkeep.checkpoint_unit(&self.connection);
        let result = if started.duration_since(self.upkeep.weighed) < PAUSE_BETWEEN_LOOKS {
            Ok(())
        } else {
            self.upkeep.weighed = started;
            self.weigh()
        };
        match result.and_then(|()| self.work_unit()) {
            Ok(false) => false,
            Ok(true) => {
                self.upkeep.took(started.elapsed());
                true
            }
            Err(error) => {
                tracing::error!(%error, "the journal cannot be tidied up");
                self.stats.last_error = Some(error.to_string());
                self.upkeep.paused_until = started + PAUSE_AFTER_ERROR;
                false
            }
        }
    }

    /// Under constant load the queue is never empty, yet the work must go on.
    pub(super) fn upkeep_between_commits(&mut self, now: Instant) {
        if now.duration_since(self.upkeep.last_unit) >= PAUSE_BETWEEN_UNITS {
            self.upkeep.last_unit = now;
            self.upkeep_unit();
        }
    }

    fn work_unit(&mut self) -> rusqlite::Result<bool> {
        // Keys of entries that are yet to be taken over lie before those that could be deleted or dropped.
        if self.upkeep.salvage != Salvage::None {
            return Ok(false);
        }
        Ok((self.upkeep.wants_deletion && self.delete_unit()?) || self.quota_unit()?)
    }

    /// Deletes some of what the cloud has. What the snapshot of repeats does not cover stays for now.
    fn delete_unit(&mut self) -> rusqlite::Result<bool> {
        let mut epochs = lock(&self.epochs).clone();
        let acked = epochs.acked_pos();
        if acked > self.upkeep.repeats_behind + SNAPSHOT_FOR_DELETION && !self.has_pending() {
            self.snapshot(&epochs)?;
        }
        let from = self.upkeep.deleted_to;
        let limit = acked.min(self.upkeep.repeats_behind);
        let end = self.end_of_unit(from, limit)?;
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(end) = end {
            transaction
                .prepare_cached(schema::DELETE_ENTRIES)?
                .execute([from, end].map(u64::cast_signed))?;
        }
        let deleted_to = end.unwrap_or(limit).max(from);
        let gone = drop_epochs(&mut epochs, deleted_to);
        for ordinal in &gone {
            transaction.prepare_cached(schema::DELETE_EPOCH)?.execute([ordinal.cast_signed()])?;
        }
        for epoch in epochs.0.iter().filter(|epoch| epoch.acked_seq > 0) {
            epoch.save(&transaction)?;
        }
        transaction.commit()?;
        lock(&self.epochs).0.retain(|epoch| !gone.contains(&epoch.ordinal));
        self.upkeep.deleted_to = deleted_to;
        self.upkeep.wants_deletion = end.is_some();
        self.upkeep.wrote(16 * PAGE_BYTES);
        Ok(end.is_some())
    }

    /// Where a unit that starts at `from` ends: behind an entry, and not behind `limit`.
    fn end_of_unit(&self, from: u64, limit: u64) -> rusqlite::Result<Option<u64>> {
        let range = [from, limit, self.upkeep.unit_entries()].map(u64::cast_signed);
        let mut statement = self.connection.prepare_cached(schema::PLACES)?;
        let ends =
            statement.query_map(range, |row| Ok(row.get::<_, i64>(0)? + row.get::<_, i64>(2)?))?;
        let mut last = None;
        for end in ends {
            let end = end?.cast_unsigned();
            last = if end <= limit { Some(end) } else { last };
        }
        Ok(last)
    }

    /// Writes the repeats. Right only while nothing waits for its commit.
    pub(super) fn snapshot(&mut self, epochs: &Epochs) -> rusqlite::Result<()> {
        let current = epochs.current();
        let behind = current.pos(current.last_seq + 1);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        commit::save_repeats(&transaction, &self.memory, behind)?;
        transaction.commit()?;
        self.memory.repeats.saved();
        self.upkeep
            .committed(&Written { bytes: 16 * PAGE_BYTES, ..Written::default() }, Some(behind));
        Ok(())
    }

    /// The cloud expects another number than we thought; the handle has moved the cursor already.
    pub(super) fn rewound(&mut self, to: Position) {
        self.upkeep.wants_deletion = true;
        let Some(epoch) = lock(&self.epochs).find_mut(to.epoch).copied() else { return };
        if to.seq > 0 && epoch.pos(to.seq) < self.upkeep.deleted_to {
            let detail =
                format!("the cloud asks for entry {} which it had acknowledged before", to.seq);
            self.notice("cloud_lost_entries", detail);
        }
        if let Err(error) = epoch.save(&self.connection) {
            tracing::error!(%error, "the cursor of the cloud is not on disk");
        }
    }

    /// Once a second.
    pub(super) fn tick(&mut self) {
        self.upkeep.checkpoint_unit(&self.connection);
        let over = self.memory.rejects.over(self.clock.mono_ms());
        for event in over {
            let bytes = add_event(&mut self.group, &event, None);
            self.group.arrived(Instant::now(), bytes);
        }
        if self.stats.mode == Mode::Durable
            && let Err(error) = self.upkeep.reserve.hold()
        {
            tracing::warn!(%error, "the journal has no reserve of disk space");
        }
        self.publish_stats();
    }

    /// Shows the present figures.
    pub(super) fn publish_stats(&mut self) {
        let epochs = lock(&self.epochs).clone();
        self.stats.backlog_entries = epochs.backlog();
        if let Ok(oldest) = Reader::oldest_unsent(&self.connection, &epochs) {
            self.stats.oldest_unsent = oldest;
        }
        if let Ok(bytes) = used_bytes(&self.connection) {
            self.stats.used_bytes = bytes;
        }
        if let Ok(bytes) = disk::free_bytes(disk::folder_of(&self.path)) {
            self.stats.disk_free_bytes = bytes;
        }
        self.stats.log_bytes = self.upkeep.log_bytes;
        self.stats.repeats = self.memory.repeats_seen;
        self.stats.rejects = self.memory.rejects_seen;
        let stats = &self.stats;
        self.out.stats.send_if_modified(|shown| {
            let is_new = shown != stats;
            shown.clone_from(stats);
            is_new
        });
    }
}

/// Bytes of pages that hold something.
pub fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pages = |pragma| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let used = pages("PRAGMA page_count")? - pages("PRAGMA freelist_count")?;
    Ok(used.max(0).cast_unsigned() * PAGE_BYTES)
}

/// Takes out epochs that are done and of which no entry is left. Their ordinals.
fn drop_epochs(epochs: &mut Epochs, deleted_to: u64) -> Vec<u64> {
    let gone: Vec<_> = epochs.0[..epochs.0.len().saturating_sub(1)]
        .iter()
        .filter(|epoch| epoch.is_done() && epochs.end_of(epoch) <= deleted_to)
        .map(|epoch| epoch.ordinal)
        .collect();
    epochs.0.retain(|epoch| !gone.contains(&epoch.ordinal));
    gone
}
