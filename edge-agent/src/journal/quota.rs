//! When space runs out: raw telemetry is thinned to a sample a minute and machine, then dropped, oldest first;
//! statuses go next. Rejects have a small limit of their own. Taps and sets are never dropped.
//!
//! What was read for the uplink since the start is left alone: the cloud may have it already.

use super::checkpoint;
use super::commit::StoreError;
use super::connection::PAGE_BYTES;
use super::disk;
use super::entry::Entry;
use super::maintenance::used_bytes;
use super::reader::lock;
use super::schema;
use super::thin::{Minutes, dropped, runs_of_droppable, runs_of_telemetry, thinned};
use super::writer::Writer;
use protocol::sync::entry::Stream;
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior};
use std::time::Duration;
use tokio::time::Instant;

/// Rejects kept; older ones are dropped, whatever space there is.
const MAX_REJECTS: u64 = 10_000;
/// Samples handled in one unit.
const UNIT_SAMPLES: u64 = 20_000;
/// On a disk below its floor the file must not grow: so much of it stays free for new entries.
const ROOM_ON_FULL_DISK: u64 = 1 << 20;
/// The log needs some space of its own, whatever floor is asked for.
const LOWEST_FLOOR: u64 = 8 << 20;
/// So much room is made when a commit found none.
const ROOM_AT_ONCE: u64 = 2 << 20;
/// How long room is made at once when a commit found none.
const AT_ONCE: Duration = Duration::from_secs(2);
/// Without a reserve the log may take no more than this. What it holds for pages behind the end of the file
/// needs space there too before the log can start over, so a long log on a full disk would stay for ever.
const LOG_WITHOUT_RESERVE: u64 = 1 << 20;

/// How far the sacrifices have come, by key. Found anew after a restart.
#[derive(Debug, Default)]
pub struct Quota {
    is_over: bool,
    minutes: Minutes,
    thinned_to: u64,
    dropped_to: u64,
    statuses_to: u64,
    rejects_to: u64,
    has_told: bool,
}

impl Quota {
    fn dropped_to(&mut self, stream: Stream) -> &mut u64 {
        match stream {
            Stream::Telemetry => &mut self.dropped_to,
            Stream::Status => &mut self.statuses_to,
            Stream::Reject | Stream::Fact => &mut self.rejects_to,
        }
    }
}

/// Whether a commit failed for want of space.
pub fn is_full(error: &StoreError) -> bool {
    match error {
        StoreError::Database(error) => error.sqlite_error_code() == Some(ErrorCode::DiskFull),
        StoreError::File(error) => error.kind() == std::io::ErrorKind::StorageFull,
    }
}

/// The file may grow somewhat beyond its quota before `SQLite` refuses; a commit that is refused makes room.
pub fn limit_pages(connection: &Connection, max_bytes: u64) -> rusqlite::Result<()> {
    let pages = (max_bytes + max_bytes / 8) / PAGE_BYTES + 256;
    connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
}

/// Raises that limit by some.
fn allow_growth(connection: &Connection) -> rusqlite::Result<()> {
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    connection.query_row(&format!("PRAGMA max_page_count = {}", pages + 4096), [], |_| Ok(()))
}

/// Bytes of pages that hold nothing.
fn free_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pages: i64 = connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
    Ok(pages.max(0).cast_unsigned() * PAGE_BYTES)
}

impl Writer {
    /// Looks at the space there is; a few times a second.
    pub(super) fn weigh(&mut self) -> rusqlite::Result<()> {
        let limit = self.config.limits.max_bytes;
        let used = used_bytes(&self.connection)?;
        // Once begun, it goes on until there is some air.
        let air = if self.upkeep.quota.is_over { limit / 32 } else { 0 };
        self.upkeep.quota.is_over = used > limit - air || self.is_disk_short()?;
        Ok(())
    }

    fn is_disk_short(&self) -> rusqlite::Result<bool> {
        let free = disk::free_bytes(disk::folder_of(&self.path)).unwrap_or(u64::MAX);
        let floor = self.config.limits.min_free_bytes.max(LOWEST_FLOOR);
        Ok(free < floor && free_bytes(&self.connection)? < ROOM_ON_FULL_DISK)
    }

    /// A commit found no room: makes some now. The reserve is given back to the disk for that, and goes to the
    /// file before the log can take it.
    pub(super) fn make_room_at_once(&mut self) {
        if self.upkeep.reserve.release() {
            tracing::warn!("the disk is full, the journal's reserve is in use");
        }
        if let Err(error) = checkpoint::truncate(&self.connection) {
            self.stats.last_error = Some(error.to_string());
        }
        if let Err(error) = self.try_to_make_room() {
            self.stats.last_error = Some(error.to_string());
        }
    }

    fn try_to_make_room(&mut self) -> rusqlite::Result<()> {
        let started = Instant::now();
        while free_bytes(&self.connection)? < ROOM_AT_ONCE && started.elapsed() < AT_ONCE {
            self.upkeep.quota.is_over = true;
            if !self.quota_unit()? {
                // Taps and sets are all there is; they are worth more than a quota.
                allow_growth(&self.connection)?;
                break;
            }
            self.keep_log_short();
        }
        checkpoint::truncate(&self.connection)
    }

    /// While there is no reserve, the log is emptied as part of the work instead of beside it.
    pub(super) fn keep_log_short(&mut self) {
        if self.upkeep.reserve.is_held() || disk::log_bytes(&self.path) < LOG_WITHOUT_RESERVE {
            return;
        }
        if let Err(error) = checkpoint::truncate(&self.connection) {
            self.stats.last_error = Some(error.to_string());
        }
    }

    /// One unit of sacrifice; `false` if there is none to make.
    pub(super) fn quota_unit(&mut self) -> rusqlite::Result<bool> {
        if self.upkeep.rejects > MAX_REJECTS && self.drop_unit(Stream::Reject)? {
            return Ok(true);
        }
        if !self.upkeep.quota.is_over {
            return Ok(false);
        }
        let is_busy = self.thin_unit()?
            || self.drop_unit(Stream::Telemetry)?
            || self.drop_unit(Stream::Status)?;
        if is_busy {
            self.weigh()?;
        } else if !self.upkeep.quota.has_told {
            self.upkeep.quota.has_told = true;
            let detail = "taps and sets alone fill the journal's quota".to_owned();
            self.notice("journal_full", detail);
        }
        Ok(is_busy)
    }

    /// The keys between which entries may be replaced.
    fn range(&mut self, done_to: u64) -> rusqlite::Result<(u64, u64)> {
        let epochs = lock(&self.epochs).clone();
        let current = epochs.current();
        let end = current.pos(current.last_seq + 1);
        if self.upkeep.repeats_behind < end && !self.has_pending() {
            self.snapshot(&epochs)?;
        }
        self.upkeep.wants_snapshot = self.upkeep.repeats_behind < end;
        let from = done_to.max(self.reader.handed_out()).max(epochs.acked_pos());
        Ok((from, end.min(self.upkeep.repeats_behind)))
    }

    fn thin_unit(&mut self) -> rusqlite::Result<bool> {
        let (from, end) = self.range(self.upkeep.quota.thinned_to)?;
        let entries = self.entries(from, end)?;
        let Some(last) = entries.last() else { return Ok(false) };
        let mut replacements = Vec::new();
        for run in runs_of_telemetry(&entries, UNIT_SAMPLES) {
            if let Some((entry, new)) = thinned(run, &mut self.upkeep.quota.minutes) {
                self.stats.samples_dropped += new;
                replacements.push((run, entry));
            }
        }
        self.replace(&replacements)?;
        self.upkeep.quota.thinned_to = last.next_pos();
        Ok(true)
    }

    fn drop_unit(&mut self, stream: Stream) -> rusqlite::Result<bool> {
        let done_to = *self.upkeep.quota.dropped_to(stream);
        let (from, end) = self.range(done_to)?;
        let Some(from) = self.oldest_of(stream, from)?.filter(|&pos| pos < end) else {
            return Ok(false);
        };
        let mut entries = self.entries(from, end)?;
        let Some(last) = entries.last() else { return Ok(false) };
        let next = last.next_pos();
        // A gap in front grows rather than getting a neighbour.
        if let Some(before) = self.gap_before(from)? {
            entries.insert(0, before);
        }
        let mut replacements = Vec::new();
        for run in runs_of_droppable(&entries, stream) {
            if let Some((gap, new)) = dropped(run, stream)
                && (new > 0 || run.len() > 1)
            {
                self.count_dropped(stream, new);
                replacements.push((run, gap));
            }
        }
        self.replace(&replacements)?;
        *self.upkeep.quota.dropped_to(stream) = next;
        Ok(true)
    }

    fn count_dropped(&mut self, stream: Stream, new: u64) {
        match stream {
            Stream::Telemetry => self.stats.samples_dropped += new,
            _ => self.stats.events_dropped += new,
        }
        if stream == Stream::Reject {
            self.upkeep.rejects = self.upkeep.rejects.saturating_sub(new);
        }
    }

    /// Where the oldest entry of a stream is; telemetry has no index and is simply looked through.
    fn oldest_of(&self, stream: Stream, from: u64) -> rusqlite::Result<Option<u64>> {
        let statement = match stream {
            Stream::Status => schema::OLDEST_STATUS,
            Stream::Reject => schema::OLDEST_REJECT,
            _ => return Ok(Some(from)),
        };
        let after = from.saturating_sub(1).cast_signed();
        let pos = self
            .connection
            .prepare_cached(statement)?
            .query_row([after], |row| row.get::<_, i64>(0))
            .optional()?;
        Ok(pos.map(i64::cast_unsigned))
    }

    fn gap_before(&self, pos: u64) -> rusqlite::Result<Option<Entry>> {
        let before = self
            .connection
            .prepare_cached(schema::ENTRY_BEFORE)?
            .query_row([pos.cast_signed()], Entry::read)
            .optional()?;
        Ok(before.flatten().filter(|entry| {
            entry.class == super::classes::Class::Gap && entry.pos >= self.reader.handed_out()
        }))
    }

    fn entries(&self, from: u64, end: u64) -> rusqlite::Result<Vec<Entry>> {
        let range = [from, end, self.upkeep.unit_entries()].map(u64::cast_signed);
        let mut statement = self.connection.prepare_cached(schema::ENTRIES)?;
        let entries = statement.query_map(range, Entry::read)?;
        entries.filter_map(Result::transpose).collect()
    }

    /// Single entries in the place of several.
    fn replace(&mut self, replacements: &[(&[Entry], Entry)]) -> rusqlite::Result<()> {
        if replacements.is_empty() {
            return Ok(());
        }
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut bytes = 0;
        for (run, by) in replacements {
            let range = [by.pos, by.next_pos()].map(u64::cast_signed);
            debug_assert_eq!(run.last().map(Entry::next_pos), Some(by.next_pos()));
            transaction.prepare_cached(schema::DELETE_ENTRIES)?.execute(range)?;
            by.insert(&mut transaction.prepare_cached(schema::INSERT_ENTRY)?)?;
            bytes += by.payload.len() as u64 + PAGE_BYTES;
        }
        transaction.commit()?;
        self.stats.gaps += replacements.len() as u64;
        self.upkeep.wrote(16 * PAGE_BYTES + bytes);
        Ok(())
    }
}
