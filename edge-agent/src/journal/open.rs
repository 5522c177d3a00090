//! Opening always succeeds: a broken file is replaced, and a folder that cannot be written by one in memory.

use super::check;
use super::checkpoint::Checkpointer;
use super::config::JournalConfig;
use super::disk::{self, beside};
use super::exile::Exile;
use super::group::Group;
use super::handle::{Journal, Opened, Order, Shared};
use super::reader::Reader;
use super::salvage;
use super::stats::{JournalStats, Mode};
use super::store::Store;
use super::upkeep::Upkeep;
use super::writer::{Outputs, Writer};
use crate::ops::clock::Clock;
use anyhow::{Context, Result};
use protocol::sync::state::Position;
use rusqlite::ErrorCode;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, mpsc, watch};

/// Orders that may wait. Each has as many messages as a socket had ready at once.
const ORDERS: usize = 256;
/// Commits that a follower may be behind. A commit has up to about 1 000 messages.
const FOLLOWER_COMMITS: usize = 64;
/// Quota of a journal in memory.
const MEMORY_BYTES: u64 = 16 << 20;

impl Journal {
    /// Opens the journal, whatever is in its folder, and starts its writer.
    pub fn open(config: JournalConfig, clock: Clock) -> Result<(Self, Opened)> {
        let found = match Found::on_disk(&config) {
            Ok(found) => found,
            Err(error) => Found::in_memory(config, &error)?,
        };
        start(found, clock)
    }
}

/// What there is to start with.
pub(super) struct Found {
    config: JournalConfig,
    /// The open file.
    pub(super) store: Store,
    mode: Mode,
    /// What staff should know.
    pub(super) notices: Vec<(&'static str, String)>,
    /// A broken file whose entries are to be taken over.
    pub(super) aside: Option<PathBuf>,
    exile: Option<Exile>,
}

impl Found {
    /// In its folder; a file that cannot be used there is set aside.
    pub(super) fn on_disk(config: &JournalConfig) -> Result<Self> {
        let path = config.path();
        fs::create_dir_all(&config.folder)
            .with_context(|| format!("cannot make the folder {}", config.folder.display()))?;
        let mut found = match Store::open(&path, config) {
            Ok(store) => Self::durable(config, store),
            Err(error) if salvage::is_damage(&error) || is_locked_away(&error, config) => {
                Self::replacing(config, &path, &error)?
            }
            Err(error) => return Err(error.context(format!("cannot open {}", path.display()))),
        };
        if found.aside.is_none() && found.store.salvaging > 0 {
            found.aside = Some(salvage::broken(&path, found.store.salvaging));
        }
        Ok(found)
    }

    fn durable(config: &JournalConfig, store: Store) -> Self {
        let config = config.clone();
        let lost = store.memory.book.is_damaged().then(floor_lost);
        let (notices, aside, exile) = (lost.into_iter().collect(), None, None);
        Self { config, store, mode: Mode::Durable, notices, aside, exile }
    }

    fn replacing(config: &JournalConfig, path: &Path, error: &anyhow::Error) -> Result<Self> {
        let (memory, epochs) = Store::rescue(path);
        let (aside, number) = salvage::set_aside(path)
            .with_context(|| format!("{error:#}, and the journal cannot be renamed"))?;
        let highest = epochs.0.last().map_or(0, |epoch| epoch.pos(epoch.last_seq));
        let first_key = salvage::first_key(highest, number);
        let mut store = Store::fresh(path, config, epochs, first_key)?;
        store.memory = memory;
        store.save_memory()?;
        let detail = format!("{error:#}; the old file is {}", aside.display());
        let found = Self::durable(config, store);
        let mut found = found;
        found.notices.insert(0, ("journal_set_aside", detail));
        Ok(Self { aside: Some(aside), ..found })
    }

    /// The same journal on a memory disk. What is committed to it is not safe, so nothing of it is acked.
    fn in_memory(mut config: JournalConfig, error: &anyhow::Error) -> Result<Self> {
        let home = config.clone();
        let mut random = [0; 4];
        getrandom::fill(&mut random)
            .map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        let name = format!("gymwire-journal-{}", hex::encode(random));
        config.limits.max_bytes = config.limits.max_bytes.min(MEMORY_BYTES);
        config.limits.min_free_bytes = 0;
        let folders = [PathBuf::from("/dev/shm"), std::env::temp_dir()];
        let store = folders.into_iter().find_map(|folder| {
            config.folder = folder.join(&name);
            fs::create_dir_all(&config.folder).ok()?;
            Store::open(&config.path(), &config).ok()
        });
        let mut store =
            store.with_context(|| format!("{error:#}, and no memory disk can be written"))?;
        // Without it, what comes again and was stored before is stored twice.
        if let Err(error) = remember(&mut store, &home.path(), &config) {
            tracing::warn!(error = format!("{error:#}"), "former messages are not known");
        }
        let topics = store.memory.retained.all().into_iter().map(|(topic, _)| topic).collect();
        let detail = format!("{error:#}; nothing is acknowledged until the journal can be written");
        let mut found = Self::durable(&config, store);
        found.exile = Some(Exile::from(home, topics));
        Ok(Self { mode: Mode::Memory, notices: vec![("journal_in_memory", detail)], ..found })
    }
}

/// What staff should know when rows of the floor were lost.
fn floor_lost() -> (&'static str, String) {
    let detail = "who is inside was partly lost and is worked out anew; have a look at the floor";
    ("floor_rebuilt", detail.to_owned())
}

/// A file that may not be written in a folder that may: somebody has locked it, and a new one can take its place.
fn is_locked_away(error: &anyhow::Error, config: &JournalConfig) -> bool {
    let is_refused = error.chain().any(|cause| {
        let code =
            cause.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
        let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        matches!(
            code,
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied)
        ) || kind == Some(ErrorKind::PermissionDenied)
    });
    is_refused && disk::is_writable(&config.folder)
}

/// Reads from a file that cannot be written what is known beside its entries.
fn remember(store: &mut Store, path: &Path, config: &JournalConfig) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let copy = config.folder.join("former.db");
    disk::copy_small(path, &copy)?;
    (store.memory, _) = Store::rescue(&copy);
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(beside(&copy, suffix));
    }
    store.memory.devices.load_copy(&super::devices::copy_of(path));
    store.save_memory()
}

fn start(found: Found, clock: Clock) -> Result<(Journal, Opened)> {
    let Found { config, store, mode, notices, aside, exile } = found;
    let path = config.path();
    let current = store.epochs.current();
    let opened = Opened {
        epoch: current.epoch,
        notices: notices.iter().map(|(code, detail)| format!("{code}: {detail}")).collect(),
        retained: store.memory.retained.all(),
    };
    let last_error = notices.first().filter(|_| mode == Mode::Memory).map(|(_, why)| why.clone());
    let set_aside = u64::from(aside.is_some());
    let stats = JournalStats { mode, set_aside, last_error, ..JournalStats::default() };
    let (orders, inbox) = mpsc::channel::<Order>(ORDERS);
    let (committed, committed_seen) = watch::channel(Position { epoch: current.epoch, seq: 0 });
    let (stats_out, stats_seen) = watch::channel(stats.clone());
    let (items, _) = broadcast::channel(FOLLOWER_COMMITS);
    let epochs = Arc::new(Mutex::new(store.epochs));
    let reader = Arc::new(Reader::new(path.clone(), clock.clone(), Arc::clone(&epochs)));
    let checkpointer = Checkpointer::start(path.clone(), config.synchronous)?;
    let log_bytes = fs::metadata(beside(&path, "-wal")).map_or(0, |log| log.len());
    let reserve = disk::Reserve::new(&path);
    let mut writer = Writer {
        clock: clock.clone(),
        connection: store.connection,
        epochs: Arc::clone(&epochs),
        reader: Arc::clone(&reader),
        memory: store.memory,
        group: Group::default(),
        failed: None,
        rest: None,
        exile,
        upkeep: Upkeep::new(checkpointer, reserve, store.repeats_behind, log_bytes),
        stats,
        out: Outputs { committed, items: items.clone(), stats: stats_out },
        orders: orders.downgrade(),
        path: path.clone(),
        config,
    };
    writer.begin(notices, aside.as_deref());
    check::start(path, 0, writer.config.check_after, orders.downgrade())?;
    std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || writer.run(inbox))
        .context("starting the journal's thread")?;
    let shared = Shared { committed: committed_seen, items, stats: stats_seen, epochs, reader };
    Ok((Journal { orders, clock, shared: Arc::new(shared) }, opened))
}
