//! A file that is open for writing, and all that the writer has to know from it.

use super::classes::Class;
use super::commit::{REPEATS_BEHIND, save_repeats};
use super::config::JournalConfig;
use super::connection;
use super::devices;
use super::disk;
use super::entry::Entry;
use super::epochs::{Epoch, Epochs, last_before};
use super::intake::Memory;
use super::packing::unpack;
use super::quota;
use super::repeats;
use super::restore::SALVAGING;
use super::schema;
use crate::floor::Told;
use anyhow::{Context, Result};
use protocol::sync::entry::{Body, Event};
use rusqlite::{Connection, OptionalExtension};
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// An open file.
pub struct Store {
    /// The connection that writes.
    pub connection: Connection,
    /// With a new one at the end.
    pub epochs: Epochs,
    /// What is known beside the entries.
    pub memory: Memory,
    /// The first entry that is not part of the snapshot of repeats.
    pub repeats_behind: u64,
    /// The number of the broken file that is being taken over; 0 if none.
    pub salvaging: u64,
}

/// Why a file is not used although `SQLite` might.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Written by a newer agent.
    #[error("the journal has schema version {0}, this agent reads up to {known}", known = schema::VERSION)]
    Newer(i64),
    /// It does not start as a database does.
    #[error("the file is no database")]
    NoDatabase,
    /// The last entry cannot be read back.
    #[error("the journal's last entry is damaged")]
    Tail,
}

impl Store {
    /// Opens a file after looking at its header, version and tail; creates one if there is none.
    pub fn open(path: &Path, config: &JournalConfig) -> Result<Self> {
        check_header(path)?;
        create(path)?;
        let mut connection = connection::writing(path, config.synchronous)?;
        let version = schema::version(&connection)?;
        if version > schema::VERSION {
            return Err(Unusable::Newer(version).into());
        }
        schema::migrate(&connection).context("migrating")?;
        quota::limit_pages(&connection, config.limits.max_bytes)?;
        let mut memory = Memory::default();
        memory.load(&connection)?;
        mend_floor(&connection, &mut memory);
        memory.devices.load_copy(&devices::copy_of(path));
        let repeats_behind = load_repeats(&connection, &mut memory).context("reading repeats")?;
        let mut epochs = Epochs::load(&connection).context("reading epochs")?;
        check_tail(&connection)?;
        let unused: Vec<_> = epochs.0.iter().filter(|epoch| epoch.last_seq == 0).copied().collect();
        epochs.0.retain(|epoch| epoch.last_seq > 0);
        let salvaging = mark(&connection, SALVAGING)?;
        let transaction = connection.transaction()?;
        for epoch in unused {
            transaction.execute(schema::DELETE_EPOCH, [epoch.ordinal.cast_signed()])?;
        }
        add_epoch(&transaction, &mut epochs, 1)?;
        transaction.commit()?;
        Ok(Self { connection, epochs, memory, repeats_behind, salvaging })
    }

    /// Makes a new file that goes on after these epochs, at `first_key` or above.
    pub fn fresh(
        path: &Path,
        config: &JournalConfig,
        mut epochs: Epochs,
        first_key: u64,
    ) -> Result<Self> {
        create(path)?;
        let mut connection = connection::writing(path, config.synchronous)?;
        schema::migrate(&connection).context("making a new journal")?;
        quota::limit_pages(&connection, config.limits.max_bytes)?;
        let transaction = connection.transaction()?;
        for epoch in &epochs.0 {
            epoch.save(&transaction)?;
        }
        add_epoch(&transaction, &mut epochs, first_key)?;
        transaction.commit()?;
        let memory = Memory::default();
        Ok(Self { connection, epochs, memory, repeats_behind: 0, salvaging: 0 })
    }

    /// Everything but the entries that can still be read from a broken file. An empty one is left alone: see
    /// `check_header`.
    pub fn rescue(path: &Path) -> (Memory, Epochs) {
        let mut memory = Memory::default();
        let mut epochs = Epochs::default();
        let is_empty = fs::metadata(path).is_ok_and(|file| file.len() == 0);
        if !is_empty && let Ok(connection) = connection::reading(path) {
            let Memory { devices, recent, rejects, retained, spent, book, .. } = &mut memory;
            let read = [
                devices.load(&connection),
                recent.load(&connection),
                rejects.load(&connection),
                retained.load(&connection),
                spent.load(&connection),
                book.load(&connection),
            ];
            let lost = read.iter().filter(|result| result.is_err()).count();
            mend_floor(&connection, &mut memory);
            let repeats = load_repeats(&connection, &mut memory);
            tracing::warn!(lost, repeats_lost = repeats.is_err(), "tables of a broken journal");
            epochs = Epochs::load(&connection).unwrap_or_default();
        }
        memory.devices.load_copy(&devices::copy_of(path));
        (memory, epochs)
    }

    /// Writes everything that is known beside the entries into a new file.
    pub fn save_memory(&mut self) -> Result<()> {
        self.memory.unsaved();
        let transaction = self.connection.transaction()?;
        self.memory.save(&transaction)?;
        // Entries that are yet to be taken over are before this key; a start meanwhile reads them again.
        save_repeats(&transaction, &self.memory, 0)?;
        transaction.commit()?;
        self.memory.saved();
        self.memory.repeats.saved();
        Ok(())
    }
}

impl Memory {
    fn load(&mut self, connection: &Connection) -> Result<()> {
        self.devices.load(connection).context("reading devices")?;
        self.recent.load(connection).context("reading recent ids")?;
        self.rejects.load(connection).context("reading counted rejects")?;
        self.spent.load(connection).context("reading what was used")?;
        self.book.load(connection).context("reading the floor")?;
        self.retained.load(connection).context("reading retained values")
    }
}

/// `SQLite` takes an empty file for a new database and deletes its log, which may be all that is left.
fn check_header(path: &Path) -> Result<()> {
    let Ok(mut file) = File::open(path) else { return Ok(()) };
    let mut header = [0; 16];
    let has_log = fs::metadata(disk::beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    if file.metadata()?.len() == 0 && !has_log {
        return Ok(());
    }
    match file.read_exact(&mut header) {
        Ok(()) if header == *b"SQLite format 3\0" => Ok(()),
        _ => Err(Unusable::NoDatabase.into()),
    }
}

fn check_tail(connection: &Connection) -> Result<()> {
    let last = connection
        .query_row(schema::ENTRY_BEFORE, [i64::MAX], Entry::read)
        .optional()
        .context("reading the last entry")?;
    if matches!(last, Some(None)) { Err(Unusable::Tail.into()) } else { Ok(()) }
}

/// Creates the file, for its owner only, so that its name outlives a power cut.
fn create(path: &Path) -> Result<()> {
    if !path.exists() {
        OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        disk::sync_folder(disk::folder_of(path))?;
    }
    Ok(())
}

/// Draws the number of this opening.
fn add_epoch(connection: &Connection, epochs: &mut Epochs, lowest_pos: u64) -> Result<()> {
    let last = last_before(connection, i64::MAX.cast_unsigned())?.unwrap_or(0);
    let behind = epochs.0.last().map_or(1, |epoch| epoch.pos(epoch.last_seq + 1));
    let first_pos = behind.max(last + 1).max(lowest_pos);
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let epoch = u64::from_le_bytes(random);
    epochs.0.push(Epoch { ordinal: first_pos, epoch, first_pos, last_seq: 0, acked_seq: 0 });
    epochs.current().save(connection)?;
    Ok(())
}

fn mark(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    let value =
        connection.query_row(schema::MARK, [name], |row| row.get::<_, i64>(0)).optional()?;
    Ok(value.unwrap_or(0).cast_unsigned())
}

/// Where rows of the floor are lost, reads what the entries tell of it, as far as they can be read.
fn mend_floor(connection: &Connection, memory: &mut Memory) {
    if !memory.book.is_damaged() {
        return;
    }
    let mut told = Told::default();
    let read = connection.prepare(schema::TOLD).and_then(|mut statement| {
        for entry in statement.query_map([], Entry::read)? {
            if let Some(Ok(event)) = entry?.map(|entry| Event::decode(&entry.payload)) {
                told.take_in(&event);
            }
        }
        Ok(())
    });
    if let Err(error) = read {
        tracing::error!(%error, "not every entry could be read for the floor");
    }
    memory.book.mend_by(told);
}

/// Reads the snapshot and what is behind it.
fn load_repeats(connection: &Connection, memory: &mut Memory) -> Result<u64> {
    let mut statement = connection.prepare(schema::REPEATS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (device, state): (u32, Vec<u8>) = (row.get(0)?, row.get(1)?);
        if !memory.repeats.restore(device, &state) {
            tracing::error!(device, "the repeats of a device are damaged and start anew");
        }
    }
    let behind = mark(connection, REPEATS_BEHIND)?;
    let mut statement = connection.prepare(schema::ENTRIES)?;
    let mut rows = statement.query([behind.cast_signed(), i64::MAX, -1])?;
    while let Some(row) = rows.next()? {
        if let Some(entry) = Entry::read(row)? {
            note_repeats(&entry, memory);
        }
    }
    Ok(behind)
}

/// Notes what an entry says about repeats, as its commit did.
pub fn note_repeats(entry: &Entry, memory: &mut Memory) {
    for (device, digest) in repeats::digests(entry.digests.as_deref().unwrap_or_default()) {
        memory.repeats.device(device).note_digest(digest);
    }
    if entry.class == Class::Telemetry {
        for timed in unpack(&entry.payload).unwrap_or_default() {
            if let Some(boot) = timed.sample.boot {
                memory.repeats.device(timed.source).note(boot, timed.sample.seq);
            }
        }
    }
    if entry.class != Class::Fact {
        return;
    }
    let Ok(event) = Event::decode(&entry.payload) else { return };
    match &event.body {
        Body::Tap(tap) => {
            memory.recent.note(tap.tap_id.0, event.stamp);
        }
        Body::Set(set) => {
            if let Some(boot) = set.boot {
                let number = memory.devices.number(event.source.device());
                memory.repeats.device(number).note(boot, set.seq);
            }
            if let Some(id) = set.set_id {
                memory.recent.note(id.0, event.stamp);
            }
        }
        Body::Decision(decision) => {
            if let (Some(card), Some(counter)) = (decision.card, decision.sun_counter) {
                memory.spent.use_counter(card, counter);
            }
        }
        _ => {}
    }
}
