//! A file that cannot be trusted is set aside under another name, and every entry that it still holds is taken
//! over into a new file, under its old (epoch, seq), while the agent already runs on the new one.
//!
//! Entries of the new file start at a key far above any old one, so nothing ever collides. What is missing shows
//! as a hole in the numbers, which the reader tells the cloud as a gap.

use super::carve::Image;
use super::commit::StoreError;
use super::disk::{self, beside};
use super::entry::Entry;
use super::handle::Order;
use super::store::Unusable;
use rusqlite::ErrorCode;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc::WeakSender;

/// Broken files kept for whoever wants to look at them.
const KEPT_FILES: u64 = 3;
/// Keys of a new file start at the next multiple of this.
const KEYS_PER_FILE: u64 = 1 << 40;
/// Entries handed to the writer at a time.
const UNIT_ENTRIES: usize = 64;

/// What the salvaging thread found.
pub enum Salvaged {
    /// Some entries, in order of keys.
    Entries(Vec<Entry>),
    /// That was all.
    Done {
        /// From this file.
        file: PathBuf,
        /// So many.
        entries: u64,
    },
}

/// Whether an error means that the file is damaged, rather than that the disk cannot be used.
pub fn is_damaged(error: &StoreError) -> bool {
    matches!(error, StoreError::Database(error) if is_damage_of(error))
}

/// The same for an error with context.
pub fn is_damage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<Unusable>() || cause.downcast_ref::<rusqlite::Error>().is_some_and(is_damage_of)
    })
}

/// The same for an error of `SQLite`.
pub fn is_damage_of(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(error, _) => matches!(
            error.code,
            ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::Unknown
        ),
        rusqlite::Error::SqlInputError { .. }
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::FromSqlConversionFailure(..) => true,
        _ => false,
    }
}

/// Renames a database and its log. The new name, and its number.
pub fn set_aside(path: &Path) -> io::Result<(PathBuf, u64)> {
    let number = numbers(path)?.into_iter().max().unwrap_or(0) + 1;
    let aside = broken(path, number);
    // The logs first: alone they say nothing, while a database without its log looks whole and is not. One that
    // stayed would be taken for the new file's.
    let mut moved: Vec<(PathBuf, PathBuf)> = Vec::new();
    for suffix in ["-wal", "-journal", ""] {
        let (from, to) = (beside(path, suffix), beside(&aside, suffix));
        if !from.exists() && !suffix.is_empty() {
            continue;
        }
        if let Err(error) = disk::rename(&from, &to) {
            // A file that cannot be moved keeps its log.
            for (from, to) in moved {
                let _ = disk::rename(&to, &from);
            }
            return Err(error);
        }
        moved.push((from, to));
    }
    let _ = fs::remove_file(beside(path, "-shm"));
    for old in numbers(path)?.into_iter().filter(|old| old + KEPT_FILES <= number) {
        for suffix in ["", "-wal", "-journal", "-shm"] {
            let _ = fs::remove_file(beside(&broken(path, old), suffix));
        }
    }
    Ok((aside, number))
}

/// The numbers of the files that were set aside.
fn numbers(path: &Path) -> io::Result<Vec<u64>> {
    let prefix = format!("{}.broken-", path.file_name().unwrap_or_default().to_string_lossy());
    let mut numbers = Vec::new();
    for file in fs::read_dir(disk::folder_of(path))? {
        let name = file?.file_name();
        if let Some(number) = name.to_string_lossy().strip_prefix(&prefix) {
            numbers.extend(number.parse::<u64>());
        }
    }
    Ok(numbers)
}

/// The name of the n-th file that was set aside.
pub fn broken(path: &Path, number: u64) -> PathBuf {
    beside(path, &format!(".broken-{number}"))
}

/// The inverse of [`broken`].
pub fn number_of(path: &Path, aside: &Path) -> Option<u64> {
    numbers(path).ok()?.into_iter().find(|&number| broken(path, number) == aside)
}

/// Where the keys of a new file start, if the old one was the n-th to be set aside and its highest known key is
/// `highest`.
pub fn first_key(highest: u64, number: u64) -> u64 {
    (highest / KEYS_PER_FILE + 1).max(number) * KEYS_PER_FILE
}

/// Reads a file on a thread of its own and hands its entries to the writer.
pub fn start(file: PathBuf, orders: WeakSender<Order>) -> io::Result<()> {
    std::thread::Builder::new().name("journal-salvage".to_owned()).spawn(move || {
        let entries = hand_over(&file, &orders).unwrap_or_else(|error| {
            tracing::error!(%error, file = %file.display(), "a broken journal cannot be read");
            0
        });
        send(&orders, Salvaged::Done { file, entries });
    })?;
    Ok(())
}

fn hand_over(file: &Path, orders: &WeakSender<Order>) -> io::Result<u64> {
    let image = Image::open(file)?;
    let found = image.find();
    let mut count = 0;
    for unit in found.chunks(UNIT_ENTRIES) {
        let entries: Vec<_> = unit.iter().filter_map(|found| image.read(found)).collect();
        count += entries.len() as u64;
        if !send(orders, Salvaged::Entries(entries)) {
            break;
        }
    }
    Ok(count)
}

/// Whether the journal is still open.
fn send(orders: &WeakSender<Order>, salvaged: Salvaged) -> bool {
    orders.upgrade().is_some_and(|orders| orders.blocking_send(Order::Restore(salvaged)).is_ok())
}
