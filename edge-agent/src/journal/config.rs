//! Where the journal lives and what it may use.

use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The section `[journal]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The journal holds at most about this much; then raw telemetry is thinned, then dropped, oldest first.
    pub max_bytes: u64,
    /// The journal stops growing when the disk has less than this free.
    pub min_free_bytes: u64,
    /// A group of telemetry is committed this long after its first sample; at most 800.
    pub group_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 4 << 30, min_free_bytes: 512 << 20, group_ms: 500 }
    }
}

/// How an opening of the journal behaves.
#[derive(Debug, Clone)]
pub struct JournalConfig {
    /// Folder that holds `journal.db`.
    pub folder: PathBuf,
    /// What it may use.
    pub limits: Limits,
    /// Anything but [`Synchronous::Full`] breaks the promise that acked means on disk.
    pub synchronous: Synchronous,
    /// The full check of the file runs this long after the start; never if there is none.
    pub check_after: Option<Duration>,
}

impl JournalConfig {
    /// The defaults, in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            limits: Limits::default(),
            synchronous: Synchronous::Full,
            check_after: Some(Duration::from_mins(1)),
        }
    }

    /// The database file.
    pub fn path(&self) -> PathBuf {
        path_in(&self.folder)
    }

    /// How long a group may wait for its commit.
    pub(super) fn group_time(&self) -> Duration {
        Duration::from_millis(self.limits.group_ms.min(MAX_GROUP_MS))
    }
}

/// The database file of a folder.
pub(super) fn path_in(folder: &Path) -> PathBuf {
    folder.join("journal.db")
}

/// Some MQTT clients send again after a second without an ack.
const MAX_GROUP_MS: u64 = 800;

/// Whether commits wait for the disk. `Off` exists so that the power-cut test can prove that it would notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// They do.
    Full,
    /// They do not.
    Off,
}
