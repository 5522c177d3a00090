//! How the journal is doing, for health, metrics, the staff page and the cloud.

use protocol::time::Stamp;

/// Figures since the start of the agent, unless said otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JournalStats {
    /// Whether acks are given, and why not.
    pub mode: Mode,
    /// Entries that the cloud does not have.
    pub backlog_entries: u64,
    /// When the oldest of them was written.
    pub oldest_unsent: Option<Stamp>,
    /// Bytes in use in the file; it may be larger.
    pub used_bytes: u64,
    /// Bytes of the write-ahead log.
    pub log_bytes: u64,
    /// Free bytes on the disk.
    pub disk_free_bytes: u64,
    /// Transactions.
    pub commits: u64,
    /// Samples stored.
    pub samples: u64,
    /// Entries stored, groups of samples included.
    pub entries: u64,
    /// Messages that had come before.
    pub repeats: u64,
    /// Messages that could not be used.
    pub rejects: u64,
    /// Gap records written.
    pub gaps: u64,
    /// Samples thinned out or dropped to save space.
    pub samples_dropped: u64,
    /// Statuses and rejects dropped to save space.
    pub events_dropped: u64,
    /// Broken files set aside.
    pub set_aside: u64,
    /// Entries taken over from a broken file.
    pub salvaged: u64,
    /// The last thing that went wrong with the disk.
    pub last_error: Option<String>,
}

/// Whether what is acked is on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    #[default]
    Durable,
    /// The folder cannot be written: the journal is in memory and nothing of `QoS` 1 is acked, so that devices
    /// keep it, until the journal has moved into its folder.
    Memory,
    /// Commits fail: what arrived is kept and tried again, nothing is acked.
    Failing,
}
