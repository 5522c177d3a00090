//! What the work between commits has to remember: what is due, how large a unit may be, how long the log is.

use super::checkpoint::{self, Checkpointer};
use super::commit::Written;
use super::connection::PAGE_BYTES;
use super::disk::Reserve;
use super::quota::Quota;
use rusqlite::Connection;
use std::time::Duration;
use tokio::time::Instant;

/// A unit that took longer is made smaller next time.
const UNIT: Duration = Duration::from_millis(15);
/// The snapshot is renewed after this much, which bounds what is read again at start.
const SNAPSHOT_ENTRIES: u64 = 256;
const SNAPSHOT_SAMPLES: u64 = 200_000;
/// Deleting waits for a snapshot; so many entries are worth one.
pub const SNAPSHOT_FOR_DELETION: u64 = 60;
/// A checkpoint is asked for when the log has about this much.
const LOG_BYTES: u64 = 2 << 20;
const PAUSE_BETWEEN_CHECKPOINTS: Duration = Duration::from_millis(500);

/// State of the work between commits.
pub struct Upkeep {
    /// There may be something that the cloud has.
    pub wants_deletion: bool,
    /// No entry before this key exists.
    pub deleted_to: u64,
    /// The first entry that is not part of the snapshot of repeats.
    pub repeats_behind: u64,
    entries_since_snapshot: u64,
    samples_since_snapshot: u64,
    /// About how long the log is.
    pub log_bytes: u64,
    is_asked: bool,
    checkpointer: Checkpointer,
    /// Space for when there is none.
    pub reserve: Reserve,
    /// How far thinning and dropping have come.
    pub quota: Quota,
    /// Rejects in the file.
    pub rejects: u64,
    /// The next commit should carry a snapshot of the repeats.
    pub wants_snapshot: bool,
    /// Entries of a broken file are being taken over.
    pub salvage: Salvage,
    unit_entries: u64,
    /// When the last unit ended.
    pub last_unit: Instant,
    /// When space was looked at last.
    pub weighed: Instant,
    /// After an error nothing is done until then.
    pub paused_until: Instant,
    ask_after: Instant,
}

/// Whether entries of a broken file are being taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Salvage {
    /// No.
    None,
    /// Yes.
    Runs,
    /// Yes, and what they say about repeats is to be noted: the snapshot may be lost.
    RunsWithRepeats,
}

impl Upkeep {
    /// For a file whose snapshot of repeats ends before `repeats_behind`.
    pub fn new(
        checkpointer: Checkpointer,
        reserve: Reserve,
        repeats_behind: u64,
        log_bytes: u64,
    ) -> Self {
        Self {
            wants_deletion: true,
            deleted_to: 0,
            repeats_behind,
            entries_since_snapshot: 0,
            samples_since_snapshot: 0,
            log_bytes,
            is_asked: false,
            checkpointer,
            reserve,
            quota: Quota::default(),
            rejects: 0,
            wants_snapshot: false,
            salvage: Salvage::None,
            unit_entries: 64,
            last_unit: Instant::now(),
            weighed: Instant::now(),
            paused_until: Instant::now(),
            ask_after: Instant::now(),
        }
    }

    /// For a new file in the place of a broken one.
    pub fn start_anew(&mut self, checkpointer: Checkpointer, repeats_behind: u64) {
        let reserve = std::mem::take(&mut self.reserve);
        *self = Self::new(checkpointer, reserve, repeats_behind, 0);
    }

    /// Whether the next commit should carry a snapshot.
    pub fn snapshot_is_due(&self) -> bool {
        self.wants_snapshot
            || self.entries_since_snapshot >= SNAPSHOT_ENTRIES
            || self.samples_since_snapshot >= SNAPSHOT_SAMPLES
            || (self.wants_deletion && self.entries_since_snapshot >= SNAPSHOT_FOR_DELETION)
    }

    /// A commit happened, maybe with a snapshot.
    pub fn committed(&mut self, written: &Written, snapshot_behind: Option<u64>) {
        self.entries_since_snapshot += written.entries;
        self.samples_since_snapshot += written.samples;
        if let Some(behind) = snapshot_behind {
            self.repeats_behind = behind;
            (self.entries_since_snapshot, self.samples_since_snapshot) = (0, 0);
            self.wants_snapshot = false;
            self.wants_deletion = true;
        }
        self.log_bytes += written.bytes;
    }

    /// Other transactions grow the log too.
    pub fn wrote(&mut self, bytes: u64) {
        self.log_bytes += bytes;
    }

    /// Ends the checkpointing thread.
    pub fn stop(&mut self) {
        self.checkpointer.stop();
    }

    /// The thread moves the bulk of the log; what came in meanwhile is little, and the writer moves it, so that
    /// the log can start over: under load nobody else ever reaches its end.
    pub fn checkpoint_unit(&mut self, connection: &Connection) {
        if let Some(outcome) = self.checkpointer.result() {
            self.is_asked = false;
            let finished = outcome.and_then(|_| checkpoint::run(connection).ok().flatten());
            self.log_bytes = match finished {
                Some((log, done)) if log == done => 0,
                Some((log, _)) => log * PAGE_BYTES,
                None => self.log_bytes,
            };
            if self.log_bytes > 0 {
                // A reader holds it up.
                self.ask_after = Instant::now() + PAUSE_BETWEEN_CHECKPOINTS;
            }
        }
        if self.log_bytes >= LOG_BYTES && !self.is_asked && self.ask_after <= Instant::now() {
            self.is_asked = true;
            self.checkpointer.request();
        }
    }

    /// So that the next unit takes about as long as it should.
    pub fn took(&mut self, elapsed: Duration) {
        self.last_unit = Instant::now();
        if elapsed > UNIT {
            self.unit_entries = (self.unit_entries / 2).max(4);
        } else if elapsed < UNIT / 3 {
            self.unit_entries = (self.unit_entries * 2).min(1024);
        }
    }

    /// How many entries a unit handles.
    pub fn unit_entries(&self) -> u64 {
        self.unit_entries
    }
}
