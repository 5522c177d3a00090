//! The databases on the way from one release to the next and back: which versions they have, and how they were.

use super::manifest::Databases;
use super::releases::{BEFORE, Releases};
use super::version::Version;
use super::{fault, releases::Failed};
use crate::journal;
use crate::ops::durable::{private_folder, sync_folder};
use crate::registry;
use anyhow::{Context as _, Result, ensure};
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

const JOURNAL: &str = "journal.db";
const BRANCH: &str = "branch.db";
const BUSY: Duration = Duration::from_secs(10);
/// Between two attempts at a database that is locked.
const PAUSE: Duration = Duration::from_millis(50);
/// Free on the disk beside the copies, or no copies are made.
const SPARE_BYTES: u64 = 64 << 20;

impl Databases {
    /// What this program writes.
    pub fn own() -> Self {
        Self { journal: journal::SCHEMA_VERSION, branch: registry::SCHEMA_VERSION }
    }

    /// What is in a state folder; 0 for a database that is not there.
    pub fn found(state_dir: &Path) -> Result<Self> {
        let version = |name: &str| version_of(&state_dir.join(name));
        Ok(Self { journal: version(JOURNAL)?, branch: version(BRANCH)? })
    }

    /// Fails if a program that writes these versions could not read what is there.
    pub fn ensure_reads(self, found: Self) -> Result<()> {
        let pairs = [(JOURNAL, self.journal, found.journal), (BRANCH, self.branch, found.branch)];
        for (name, known, found) in pairs {
            ensure!(
                found <= known,
                "{name} has schema version {found}, and that release reads up to {known}: it would set it aside"
            );
        }
        Ok(())
    }

    /// Whether a program that writes these versions would change what is there.
    pub fn changes(self, found: Self) -> bool {
        let pairs = [(self.journal, found.journal), (self.branch, found.branch)];
        pairs.into_iter().any(|(known, found)| found != 0 && known != found)
    }
}

/// The schema version of a database, 0 if there is none.
pub fn version_of(file: &Path) -> Result<i64> {
    if !file.exists() {
        return Ok(0);
    }
    let read = || open(file)?.pragma_query_value(None, "user_version", |row| row.get(0));
    read().with_context(|| format!("cannot read {}", file.display()))
}

/// Copies a database that may be in use. The copy is whole, synced and needs no log.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = (|| {
        let source = open(from)?;
        let mut target = Connection::open(to)?;
        // All in one step: a writer that goes on meanwhile does not make it start over.
        Backup::new(&source, &mut target)?.run_to_completion(i32::MAX, PAUSE, None)?;
        target.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
    })();
    copied.with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(File::open(to)?.sync_all()?)
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// Keeps the databases as they are before the first start of a release.
pub fn keep_before(releases: &Releases, version: Version) -> Result<()> {
    let folder = releases.of_version(version).join(BEFORE);
    private_folder(&folder)?;
    let size =
        |name: &str| fs::metadata(releases.state_dir().join(name)).map_or(0, |file| file.len());
    let needed = size(JOURNAL) + size(BRANCH) + SPARE_BYTES;
    let disk = rustix::fs::statvfs(&folder)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    ensure!(
        free >= needed,
        "the databases change and need {needed} bytes for copies, {free} are free"
    );
    for name in [BRANCH, JOURNAL] {
        let (from, to) = (releases.state_dir().join(name), folder.join(name));
        let _ = fs::remove_file(&to);
        if from.exists() {
            copy(&from, &to)?;
        }
    }
    Ok(sync_folder(&folder)?)
}

/// Puts `branch.db` back as it was before a release that failed. Can be repeated from wherever it was interrupted.
///
/// The journal stays: what was acked meanwhile is in it, and an agent takes the entries of a newer one over.
pub fn put_back(releases: &Releases, version: Version, failed: &Failed) -> Result<()> {
    let before = releases.of_version(version).join(BEFORE).join(BRANCH);
    if !failed.databases_change || !before.exists() {
        return Ok(());
    }
    let state = releases.state_dir();
    let coming = state.join(format!("{BRANCH}.coming-back"));
    fs::copy(&before, &coming)?;
    File::open(&coming)?.sync_all()?;
    fault::point("copied_back");
    // The log first: one that stayed would be taken for that of the file that comes back.
    for side in ["-wal", "-shm", ""] {
        let from = with_suffix(&state.join(BRANCH), side);
        let aside = with_suffix(&state.join(format!("{BRANCH}.of-{version}")), side);
        if from.exists() && !aside.exists() {
            fs::rename(&from, &aside)?;
        }
        let _ = fs::remove_file(&from);
    }
    sync_folder(state)?;
    fault::point("set_aside");
    fs::rename(&coming, state.join(BRANCH))?;
    sync_folder(state)?;
    fault::point("put_back");
    Ok(())
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
