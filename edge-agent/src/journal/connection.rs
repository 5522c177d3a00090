//! Connections to the database file, with the settings that our promises rest on.

use super::config::Synchronous;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// Small pages: a commit writes whole pages, and a group of samples is one or two kilobytes.
pub const PAGE_BYTES: u64 = PAGE as u64;
/// The same as a length in memory.
pub const PAGE: usize = 1024;

const BUSY: Duration = Duration::from_secs(5);

/// The connection that writes. Creates the file if there is none.
pub fn writing(path: &Path, synchronous: Synchronous) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    let synchronous = match synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Off => "OFF",
    };
    connection.execute_batch(&format!("PRAGMA page_size = {PAGE_BYTES}"))?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::InvalidParameterName(format!(
            "the file system allows no write-ahead log, only {mode}"
        )));
    }
    // Checkpoints run in a thread of their own (`maintenance`), never as part of a commit.
    connection.execute_batch(&format!(
        "PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = OFF; \
         PRAGMA cache_size = -1024; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 16777216"
    ))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// A connection that only reads.
pub fn reading(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch("PRAGMA cache_size = -1024; PRAGMA query_only = ON")?;
    Ok(connection)
}

/// A connection that only checkpoints.
pub fn checkpointing(path: &Path, synchronous: Synchronous) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    let synchronous = if synchronous == Synchronous::Full { "FULL" } else { "OFF" };
    connection
        .execute_batch(&format!("PRAGMA synchronous = {synchronous}; PRAGMA cache_size = -64"))?;
    Ok(connection)
}
