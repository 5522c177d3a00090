//! `edge-agent journal verify`: reads everything in a journal and tells what is there and what is wrong.

use super::classes::Class;
use super::connection;
use super::entry::Entry;
use super::epochs::Epochs;
use super::packing::unpack;
use super::schema;
use anyhow::{Context, Result};
use protocol::sync::entry::Event;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Of the file.
    pub schema_version: i64,
    /// What `SQLite` has to say about the file; empty if it is sound.
    pub damage: Vec<String>,
    /// Keys of entries whose checksum or content is wrong.
    pub damaged_entries: Vec<u64>,
    /// In order of age.
    pub epochs: Vec<EpochReport>,
}

/// What was found of one opening of the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EpochReport {
    /// Its number.
    pub epoch: u64,
    /// The last number that the cloud has.
    pub acked_seq: u64,
    /// The last number there is.
    pub last_seq: u64,
    /// Entries, and what is in them, by class.
    pub classes: BTreeMap<Class, (u64, u64)>,
    /// Numbers that no entry covers.
    pub holes: Vec<(u64, u64)>,
}

/// Reads a journal, also one that is in use.
pub fn verify(path: &Path) -> Result<Report> {
    let connection = connection::reading(path)
        .with_context(|| format!("cannot open the journal {}", path.display()))?;
    let mut report = Report::default();
    match report.read(&connection) {
        Ok(()) => {}
        Err(error) => report.damage.push(error.to_string()),
    }
    Ok(report)
}

impl Report {
    /// Nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
            && self.damaged_entries.is_empty()
            && self.epochs.iter().all(|epoch| epoch.holes.is_empty())
    }

    fn read(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.schema_version = schema::version(connection)?;
        let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        self.damage = lines.collect::<rusqlite::Result<Vec<_>>>()?;
        self.damage.retain(|line| line != "ok");
        for epoch in Epochs::load(connection)?.0 {
            let start = epoch.pos(epoch.acked_seq + 1);
            let mut found = EpochReport {
                epoch: epoch.epoch,
                acked_seq: epoch.acked_seq,
                last_seq: epoch.last_seq,
                ..EpochReport::default()
            };
            let end = epoch.pos(epoch.last_seq + 1);
            self.read_entries(connection, (epoch.first_pos, end), start, &mut found)?;
            self.epochs.push(found);
        }
        Ok(())
    }

    fn read_entries(
        &mut self,
        connection: &Connection,
        (from, end): (u64, u64),
        unsent: u64,
        into: &mut EpochReport,
    ) -> rusqlite::Result<()> {
        let first = from;
        let mut expected = unsent;
        let mut statement = connection.prepare(schema::ENTRIES)?;
        let mut rows =
            statement.query(rusqlite::params![from.cast_signed(), end.cast_signed(), -1])?;
        while let Some(row) = rows.next()? {
            let pos = row.get::<_, i64>(0)?.cast_unsigned();
            let Some(entry) = Entry::read(row)?.filter(is_readable) else {
                self.damaged_entries.push(pos);
                continue;
            };
            if pos > expected {
                into.holes.push((expected - first + 1, pos - first));
            }
            expected = expected.max(entry.next_pos());
            let (entries, content) = into.classes.entry(entry.class).or_default();
            *entries += 1;
            *content += entry.count;
        }
        if expected < end {
            into.holes.push((expected - first + 1, end - first));
        }
        Ok(())
    }
}

fn is_readable(entry: &Entry) -> bool {
    match entry.class {
        Class::Telemetry => {
            unpack(&entry.payload).is_ok_and(|samples| samples.len() as u64 == entry.count)
        }
        _ => Event::decode(&entry.payload).is_ok(),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "schema version {}", self.schema_version)?;
        for epoch in &self.epochs {
            write!(f, "epoch {:016x}: 1 to {}", epoch.epoch, epoch.last_seq)?;
            writeln!(f, ", the cloud has {}", epoch.acked_seq)?;
            for (class, (entries, content)) in &epoch.classes {
                let name = format!("{class:?}").to_lowercase();
                writeln!(f, "  {name:<9} {entries:>9} entries with {content}")?;
            }
            for (first, last) in &epoch.holes {
                writeln!(f, "  MISSING   {first} to {last}")?;
            }
        }
        for pos in &self.damaged_entries {
            writeln!(f, "DAMAGED entry at key {pos}")?;
        }
        for line in &self.damage {
            writeln!(f, "DAMAGED file: {line}")?;
        }
        write!(f, "{}", if self.is_sound() { "sound" } else { "NOT SOUND" })
    }
}
