//! The queue's file on disk: append, replace as a whole, and read back whatever state it is in.

use super::Entry;
use super::record::{self, Record};
use anyhow::{Result, bail};
use rustix::fs::{FlockOperation, flock};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tracing::{error, info, warn};

const FILE: &str = "queue";

/// What a file had in it.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub entries: Vec<Entry>,
    pub next_seq: u64,
}

/// An open queue file, or the place where one should be.
#[derive(Debug)]
pub(super) struct QueueFile {
    folder: PathBuf,
    /// `None` after a failure, until a [`replace`](Self::replace) works.
    open: Option<File>,
    len: u64,
    /// Held as long as this value lives, so that a second bridge cannot write into the same file.
    _lock: Option<File>,
}

impl QueueFile {
    pub fn open(folder: &Path) -> Result<(Self, Found)> {
        let lock = match lock(folder) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                bail!("another firmware-bridge is running with this queue")
            }
            Err(error) => {
                error!(folder = %folder.display(), %error, "queue folder cannot be used: taps are kept in memory only");
                None
            }
        };
        let mut file = Self { folder: folder.to_owned(), open: None, len: 0, _lock: lock };
        let found = file.load();
        Ok((file, found))
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_healthy(&self) -> bool {
        self.open.is_some()
    }

    /// Adds bytes at the end; a failure makes the file unhealthy.
    pub fn append(&mut self, bytes: &[u8], synced: bool) {
        let Some(file) = &self.open else { return };
        let written = file
            .write_all_at(bytes, self.len)
            .and_then(|()| if synced { file.sync_data() } else { Ok(()) });
        match written {
            Ok(()) => self.len += bytes.len() as u64,
            Err(error) => {
                error!(%error, "queue cannot be written: taps are kept in memory only");
                self.open = None;
            }
        }
    }

    /// Puts a new file in the place of the old one, which stays whole until the new one is synced.
    pub fn replace(&mut self, bytes: &[u8]) {
        match self.write_new(bytes) {
            Ok(file) => {
                if self.open.is_none() {
                    info!("queue is on disk again");
                }
                self.open = Some(file);
                self.len = bytes.len() as u64;
            }
            Err(error) if self.open.is_some() => {
                error!(%error, "queue cannot be rewritten: taps are kept in memory only");
                self.open = None;
            }
            Err(_) => {}
        }
    }

    fn write_new(&self, bytes: &[u8]) -> io::Result<File> {
        let new = self.folder.join("queue.new");
        let mut file = private().create(true).truncate(true).write(true).read(true).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, self.path())?;
        File::open(&self.folder)?.sync_all()?;
        Ok(file)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// Reads what is there. A torn end is the trace of a power cut and is cut off; other damage is set aside.
    fn load(&mut self) -> Found {
        let bytes = match fs::read(self.path()) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.start_empty();
                return Found { next_seq: 1, ..Found::default() };
            }
            Err(error) => {
                error!(%error, "queue cannot be read: taps are kept in memory only");
                return Found { next_seq: 1, ..Found::default() };
            }
        };
        let (records, damage) = record::read_all(&bytes);
        let found = fold(records);
        let torn = damage.last().filter(|last| last.end == bytes.len());
        if damage.len() > usize::from(torn.is_some()) {
            self.set_aside();
        }
        if damage.is_empty() {
            self.reopen(bytes.len() as u64);
        } else {
            let lost: usize = damage.iter().map(ExactSizeIterator::len).sum();
            warn!(bytes = lost, "queue file had a damaged part: read around it");
            let mut whole = Vec::new();
            found.entries.iter().for_each(|entry| record::write_kept(&mut whole, entry));
            self.replace(&whole);
        }
        found
    }

    fn start_empty(&mut self) {
        match self.write_new(&[]) {
            Ok(file) => self.open = Some(file),
            Err(error) => error!(%error, "queue cannot be written: taps are kept in memory only"),
        }
    }

    fn reopen(&mut self, len: u64) {
        match OpenOptions::new().read(true).write(true).open(self.path()) {
            Ok(file) => (self.open, self.len) = (Some(file), len),
            Err(error) => error!(%error, "queue cannot be written: taps are kept in memory only"),
        }
    }

    fn set_aside(&self) {
        let aside = self.folder.join("queue.damaged");
        match fs::copy(self.path(), &aside) {
            Ok(_) => warn!(path = %aside.display(), "damaged queue file set aside"),
            Err(error) => warn!(%error, "damaged queue file could not be set aside"),
        }
    }
}

/// What waits in the queue of a folder, also while a bridge runs with it; for tests and diagnosis.
pub fn peek(folder: &Path) -> io::Result<Vec<Entry>> {
    let bytes = fs::read(folder.join(FILE))?;
    Ok(fold(record::read_all(&bytes).0).entries)
}

fn fold(records: Vec<Record>) -> Found {
    let mut live = BTreeMap::new();
    let mut newest = 0;
    for record in records {
        match record {
            Record::Kept(entry) => {
                newest = newest.max(entry.seq);
                live.insert(entry.seq, entry);
            }
            Record::Done(seq) => {
                newest = newest.max(seq);
                live.remove(&seq);
            }
        }
    }
    Found { entries: live.into_values().collect(), next_seq: newest.saturating_add(1) }
}

fn lock(folder: &Path) -> io::Result<File> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let lock = private().create(true).append(true).open(folder.join("lock"))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    Ok(lock)
}

/// Taps carry credentials: nobody else may read them.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}
