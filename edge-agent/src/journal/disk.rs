//! Files that must survive a power cut: renames that last, and a reserve for when the disk is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Given back to the disk when it is full, so that commits go on while room is made. More than the log may hold:
/// a checkpoint, which lets the log start over, may have to write all of it behind the end of the file.
const RESERVE_BYTES: usize = 8 << 20;

/// Makes a folder's list of files durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Renames a file within its folder, durably.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    if let Ok(file) = File::open(from) {
        file.sync_all()?;
    }
    fs::rename(from, to)?;
    sync_folder(folder_of(to))
}

/// The folder a file is in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Bytes that are free for us on the disk of this folder.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// A file next to a database, e.g. `journal.db-wal`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether files can be made in a folder.
pub fn is_writable(folder: &Path) -> bool {
    let probe = folder.join("journal.probe");
    File::create(&probe).and_then(|_| fs::remove_file(&probe)).is_ok()
}

/// Copies a database that is not too large, with its log; whoever cannot write beside it can then read it.
pub fn copy_small(database: &Path, to: &Path) -> io::Result<()> {
    let length = fs::metadata(database)?.len() + log_bytes(database);
    if length > MAX_COPY_BYTES {
        return Err(io::Error::other("the database is too large for a copy in memory"));
    }
    for suffix in ["", "-wal"] {
        let file = beside(database, suffix);
        if file.exists() {
            fs::copy(file, beside(to, suffix))?;
        }
    }
    Ok(())
}

/// What a copy in memory may have.
const MAX_COPY_BYTES: u64 = 64 << 20;

/// Length of a database's write-ahead log.
pub fn log_bytes(database: &Path) -> u64 {
    fs::metadata(beside(database, "-wal")).map_or(0, |log| log.len())
}

/// Space that belongs to us although nothing is in it.
#[derive(Debug, Default)]
pub struct Reserve {
    path: PathBuf,
    is_held: bool,
}

impl Reserve {
    /// The reserve of a database; not yet held.
    pub fn new(database: &Path) -> Self {
        let path = beside(database, ".reserve");
        let is_held = fs::metadata(&path).is_ok_and(|file| file.len() >= RESERVE_BYTES as u64);
        Self { path, is_held }
    }

    /// Whether it can be given back.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Takes the space, if it can be had with as much again to spare. Zeros are written rather than allocated:
    /// not every file system that runs full honours an allocation.
    pub fn hold(&mut self) -> io::Result<()> {
        if self.is_held || free_bytes(folder_of(&self.path))? < 2 * RESERVE_BYTES as u64 {
            return Ok(());
        }
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(true).open(&self.path)?;
        let written = file.write_all(&vec![0; RESERVE_BYTES]).and_then(|()| file.sync_all());
        if written.is_err() {
            self.release();
        }
        self.is_held = written.is_ok();
        written
    }

    /// Gives the space back. Whether there was any.
    pub fn release(&mut self) -> bool {
        let was_held = std::mem::take(&mut self.is_held);
        fs::remove_file(&self.path).is_ok() && was_held
    }
}
