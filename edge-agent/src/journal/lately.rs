//! What was written last, for pages that show it after a restart; on a connection of its own.

use super::connection;
use super::entry::Entry;
use super::schema;
use anyhow::{Context as _, Result};
use protocol::sync::entry::Event;
use std::path::Path;

/// The events among the last `entries` of a journal's file, oldest first. Telemetry is left out, and so is what cannot
/// be read: others look after that.
pub fn lately(path: &Path, entries: u32) -> Result<Vec<Event>> {
    let connection = connection::reading(path).context("opening the journal to read")?;
    let mut statement = connection.prepare(schema::LAST_EVENTS)?;
    let mut rows = statement.query([entries])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let entry = Entry::read(row)?;
        events.extend(entry.and_then(|entry| Event::decode(&entry.payload).ok()));
    }
    Ok(events)
}
