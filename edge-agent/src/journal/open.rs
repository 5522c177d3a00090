//! Opening: checks the file, brings it to this version, reads what the writer has to know, draws an epoch.

use super::checkpoint::Checkpointer;
use super::classes::Class;
use super::commit::REPEATS_BEHIND;
use super::config::{JournalConfig, path_in};
use super::connection;
use super::devices;
use super::disk;
use super::entry::Entry;
use super::epochs::{Epoch, Epochs, last_before};
use super::group::Group;
use super::handle::{Journal, Opened, Shared};
use super::intake::Memory;
use super::maintenance::Upkeep;
use super::packing::unpack;
use super::reader::Reader;
use super::repeats;
use super::schema;
use super::stats::{JournalStats, Mode};
use super::writer::{Outputs, Writer};
use crate::ops::clock::Clock;
use anyhow::{Context, Result};
use protocol::sync::entry::{Body, Event};
use protocol::sync::state::Position;
use rusqlite::{Connection, OptionalExtension};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, mpsc, watch};

/// Orders that may wait. Each has as many messages as a socket had ready at once.
const ORDERS: usize = 256;
/// Commits that a follower may be behind. A commit has up to about 1 000 messages.
const FOLLOWER_COMMITS: usize = 64;

impl Journal {
    /// Opens the journal, whatever is in its folder, and starts its writer.
    pub fn open(config: JournalConfig, clock: Clock) -> Result<(Self, Opened)> {
        let path = config.path();
        fs::create_dir_all(&config.folder)
            .with_context(|| format!("cannot make the folder {}", config.folder.display()))?;
        let store = Store::open(&path, &config)
            .with_context(|| format!("cannot open {}", path.display()))?;
        start(config, clock, store)
    }
}

/// A file that is open, and all that was read from it.
pub struct Store {
    pub(super) connection: Connection,
    pub(super) epochs: Epochs,
    pub(super) memory: Memory,
    pub(super) repeats_behind: u64,
}

impl Store {
    /// Opens the file for writing; there is a new epoch at its end.
    pub fn open(path: &Path, config: &JournalConfig) -> Result<Self> {
        create(path)?;
        let mut connection = connection::writing(path, config.synchronous)?;
        schema::migrate(&connection).context("migrating")?;
        let mut memory = Memory::default();
        memory.devices.load(&connection).context("reading devices")?;
        memory.devices.load_copy(&devices::copy_of(path));
        memory.recent.load(&connection).context("reading recent ids")?;
        memory.rejects.load(&connection).context("reading counted rejects")?;
        memory.retained.load(&connection).context("reading retained values")?;
        let repeats_behind = load_repeats(&connection, &mut memory).context("reading repeats")?;
        let epochs = add_epoch(&mut connection, 1).context("adding an epoch")?;
        Ok(Self { connection, epochs, memory, repeats_behind })
    }
}

fn start(config: JournalConfig, clock: Clock, store: Store) -> Result<(Journal, Opened)> {
    let path = path_in(&config.folder);
    let current = store.epochs.current();
    let opened =
        Opened { epoch: current.epoch, notices: Vec::new(), retained: store.memory.retained.all() };
    let stats = JournalStats { mode: Mode::Durable, ..JournalStats::default() };
    let (orders, inbox) = mpsc::channel(ORDERS);
    let (committed, committed_seen) = watch::channel(Position { epoch: current.epoch, seq: 0 });
    let (stats_out, stats_seen) = watch::channel(stats.clone());
    let (items, _) = broadcast::channel(FOLLOWER_COMMITS);
    let epochs = Arc::new(Mutex::new(store.epochs));
    let reader = Arc::new(Reader::new(path.clone(), clock.clone(), Arc::clone(&epochs)));
    let checkpointer = Checkpointer::start(path.clone(), config.synchronous)?;
    let log_bytes = fs::metadata(disk::beside(&path, "-wal")).map_or(0, |log| log.len());
    let writer = Writer {
        clock: clock.clone(),
        connection: store.connection,
        epochs: Arc::clone(&epochs),
        reader: Arc::clone(&reader),
        memory: store.memory,
        group: Group::default(),
        failed: None,
        rest: None,
        upkeep: Upkeep::new(checkpointer, 0, store.repeats_behind, log_bytes),
        stats,
        out: Outputs { committed, items: items.clone(), stats: stats_out },
        path: path.clone(),
        config,
    };
    std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || writer.run(inbox))
        .context("starting the journal's thread")?;
    let shared =
        Shared { committed: committed_seen, items, stats: stats_seen, epochs, reader, path };
    Ok((Journal { orders, clock, shared: Arc::new(shared) }, opened))
}

/// Creates the file, for its owner only, so that its name outlives a power cut.
fn create(path: &Path) -> Result<()> {
    if !path.exists() {
        OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        disk::sync_folder(disk::folder_of(path))?;
    }
    Ok(())
}

/// Draws the number of this opening. Epochs that were never written to are forgotten.
pub fn add_epoch(connection: &mut Connection, lowest_pos: u64) -> Result<Epochs> {
    let mut epochs = Epochs::load(connection)?;
    let last = last_before(connection, i64::MAX.cast_unsigned())?.unwrap_or(0);
    let ordinal = epochs.0.last().map_or(1, |epoch| epoch.ordinal + 1);
    let behind = epochs.0.last().map_or(1, |epoch| epoch.pos(epoch.last_seq + 1));
    let first_pos = behind.max(last + 1).max(lowest_pos);
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let epoch = u64::from_le_bytes(random);
    let unused: Vec<_> = epochs.0.iter().filter(|epoch| epoch.last_seq == 0).copied().collect();
    epochs.0.retain(|epoch| epoch.last_seq > 0);
    epochs.0.push(Epoch { ordinal, epoch, first_pos, last_seq: 0, acked_seq: 0 });
    let transaction = connection.transaction()?;
    for epoch in unused {
        transaction.execute(schema::DELETE_EPOCH, [epoch.ordinal.cast_signed()])?;
    }
    epochs.current().save(&transaction)?;
    transaction.commit()?;
    Ok(epochs)
}

/// Reads the snapshot and what is behind it.
fn load_repeats(connection: &Connection, memory: &mut Memory) -> Result<u64> {
    let mut statement = connection.prepare(schema::REPEATS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (device, state): (u32, Vec<u8>) = (row.get(0)?, row.get(1)?);
        if !memory.repeats.restore(device, &state) {
            tracing::error!(device, "the state of repeats of a device is damaged and starts anew");
        }
    }
    let behind = connection
        .query_row(schema::MARK, [REPEATS_BEHIND], |row| row.get::<_, i64>(0))
        .optional()?
        .unwrap_or(0);
    let mut statement = connection.prepare(schema::ENTRIES)?;
    let mut rows = statement.query([behind, i64::MAX, -1])?;
    while let Some(row) = rows.next()? {
        if let Some(entry) = Entry::read(row)? {
            note_repeats(&entry, memory);
        }
    }
    Ok(behind.cast_unsigned())
}

/// Notes what an entry says about (device, boot, seq), as its commit did.
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
    } else if entry.class == Class::Fact
        && let Ok(event) = Event::decode(&entry.payload)
        && let Body::Set(set) = event.body
        && let Some(boot) = set.boot
    {
        let number = memory.devices.number(event.source.device());
        memory.repeats.device(number).note(boot, set.seq);
    }
}
