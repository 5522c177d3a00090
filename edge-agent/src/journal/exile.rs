//! A journal that had to be opened on a memory disk looks, now and then, whether its own folder can be written again. Then
//! it moves there with everything that the cloud does not have, under the same numbers, and acks who waited.

use super::check;
use super::checkpoint::Checkpointer;
use super::classes::Class;
use super::commit::save_repeats;
use super::config::JournalConfig;
use super::disk::{self, Reserve};
use super::entry::Entry;
use super::epochs::Epochs;
use super::group::Acks;
use super::message::Publish;
use super::open::Found;
use super::packing::{pack, unpack};
use super::reader::lock;
use super::repeats;
use super::schema;
use super::stats::Mode;
use super::writer::Writer;
use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use rusqlite::Connection;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

const FIRST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Local numbers of devices: here, and in the file of the folder.
type Numbers = HashMap<u32, u32>;

/// Where the journal belongs, and what has to be made up for there.
pub struct Exile {
    home: JournalConfig,
    look_at: Instant,
    wait: Duration,
    /// Topics that had a retained value at home.
    topics: Vec<String>,
    waiting: Acks,
}

impl Exile {
    /// From a folder that cannot be written.
    pub fn from(home: JournalConfig, topics: Vec<String>) -> Self {
        let look_at = Instant::now() + FIRST_LOOK;
        Self { home, look_at, wait: FIRST_LOOK, topics, waiting: Acks::default() }
    }

    /// These are acked when what they sent is on disk. Who has gone meanwhile sends again and is acked then.
    pub fn wait(&mut self, acks: Acks) {
        self.waiting.join(acks);
    }
}

impl Writer {
    /// Moves home if that is possible now.
    pub(super) fn look_home(&mut self, now: Instant) {
        let Some(exile) = self.exile.as_mut().filter(|exile| exile.look_at <= now) else { return };
        exile.wait = (exile.wait * 2).min(LONGEST_WAIT);
        exile.look_at = now + exile.wait;
        let _ = std::fs::create_dir_all(&exile.home.folder);
        if !disk::is_writable(&exile.home.folder) {
            return;
        }
        // It moves only what is committed.
        self.commit(now);
        if self.has_pending() {
            return;
        }
        if let Err(error) = self.go_home() {
            let error = format!("{error:#}");
            tracing::error!(error, "the journal stays in memory");
            self.stats.last_error = Some(error);
        }
    }

    fn go_home(&mut self) -> Result<()> {
        let Some(exile) = &self.exile else { return Ok(()) };
        let mut found = Found::on_disk(&exile.home)?;
        let numbers = self.number_devices(&mut found);
        let (epochs, shift) = moved_epochs(&lock(&self.epochs), &found.store.epochs)?;
        let path = exile.home.path();
        found.store.memory.devices.save_copy(&super::devices::copy_of(&path))?;
        let behind = epochs.current().pos(epochs.current().last_seq + 1);
        let transaction = found.store.connection.transaction()?;
        let drawn = found.store.epochs.current();
        transaction.execute(schema::DELETE_EPOCH, [drawn.ordinal.cast_signed()])?;
        for epoch in &epochs.0 {
            epoch.save(&transaction)?;
        }
        let first = lock(&self.epochs).acked_pos();
        carry(&self.connection, &transaction, first, shift, &numbers)?;
        found.store.memory.save(&transaction)?;
        save_repeats(&transaction, &found.store.memory, behind)?;
        transaction.commit()?;
        found.store.memory.saved();
        found.store.memory.repeats.saved();
        self.settle(found, epochs, shift, behind)
    }

    /// Takes what is known here into what is known at home.
    fn number_devices(&self, found: &mut Found) -> Numbers {
        let known = &mut found.store.memory;
        let numbers: Numbers = self
            .memory
            .devices
            .all()
            .map(|(number, device)| (number, known.devices.number(Some(device))))
            .collect();
        let number = |own: u32| numbers.get(&own).copied().unwrap_or(own);
        for (own, seen) in self.memory.repeats.all() {
            known.repeats.device(number(own)).absorb(seen);
        }
        for (id, stamp) in self.memory.recent.all() {
            known.recent.note(id, stamp);
        }
        known.rejects.absorb(&self.memory.rejects, number);
        known.spent.absorb(&self.memory.spent);
        known.book.become_like(&self.memory.book);
        known.times.absorb(&self.memory.times, number);
        let values = self.memory.retained.all();
        let is_gone = |topic: &&String| !values.iter().any(|(kept, _)| kept == *topic);
        let gone = self.exile.iter().flat_map(|exile| &exile.topics).filter(is_gone);
        let gone: Vec<_> = gone.map(|topic| (topic.clone(), Bytes::new())).collect();
        for (topic, payload) in values.into_iter().chain(gone) {
            known.retained.keep(&Publish { topic, payload, retain: true });
        }
        known.repeats_seen = self.memory.repeats_seen;
        known.rejects_seen = self.memory.rejects_seen;
        numbers
    }

    /// Everything is at home: goes on there.
    fn settle(&mut self, found: Found, mut epochs: Epochs, shift: u64, behind: u64) -> Result<()> {
        let Some(mut exile) = self.exile.take() else { return Ok(()) };
        let path = exile.home.path();
        self.upkeep.stop();
        self.connection = found.store.connection;
        let memory_disk = disk::folder_of(&self.path).to_owned();
        let shared = self.epochs.clone();
        self.reader.move_to(path.clone(), shift, || {
            let mut shared = lock(&shared);
            for old in &shared.0 {
                // The cloud may have taken more meanwhile.
                if let Some(new) = epochs.find_mut(old.epoch) {
                    new.acked_seq = old.acked_seq;
                }
            }
            *shared = epochs;
        });
        let _ = std::fs::remove_dir_all(memory_disk);
        let decider = std::mem::take(&mut self.memory.decider);
        self.memory = found.store.memory;
        self.memory.decider = decider;
        (self.path, self.config) = (path.clone(), exile.home);
        let checkpointer = Checkpointer::start(path.clone(), self.config.synchronous)?;
        self.upkeep.start_anew(checkpointer, behind);
        self.upkeep.reserve = Reserve::new(&path);
        self.stats.mode = Mode::Durable;
        self.stats.last_error = None;
        exile.waiting.tell();
        self.begin(found.notices, found.aside.as_deref());
        self.notice("journal_on_disk_again", format!("{} can be written", path.display()));
        let generation = self.reader.generation();
        check::start(path, generation, self.config.check_after, self.orders.clone())?;
        Ok(())
    }
}

/// Our epochs behind those of the folder, in the place of the one that was drawn for opening it: numbers that the cloud
/// may know already go on. With it, how far keys move.
fn moved_epochs(own: &Epochs, found: &Epochs) -> Result<(Epochs, u64)> {
    let (Some(first), Some((drawn, former))) = (own.0.first(), found.0.split_last()) else {
        bail!("a journal has epochs");
    };
    let shift = drawn.first_pos.saturating_sub(first.first_pos);
    let mut epochs = Epochs(former.to_vec());
    epochs.0.extend(own.0.iter().map(|epoch| {
        let mut moved = *epoch;
        moved.first_pos += shift;
        moved.ordinal += shift;
        moved
    }));
    Ok((epochs, shift))
}

/// Copies every entry from a key on.
fn carry(
    from: &Connection,
    to: &Connection,
    first: u64,
    shift: u64,
    numbers: &Numbers,
) -> Result<()> {
    let mut statement = from.prepare(schema::ENTRIES)?;
    let mut rows = statement.query([first.cast_signed(), i64::MAX, -1])?;
    let mut insert = to.prepare_cached(schema::RESTORE_ENTRY)?;
    while let Some(row) = rows.next()? {
        // What cannot be read shows as a hole, which the reader tells as a gap.
        let Some(mut entry) = Entry::read(row)? else { continue };
        renumber(&mut entry, numbers)?;
        entry.pos += shift;
        entry.insert(&mut insert)?;
    }
    Ok(())
}

/// Names devices by the numbers of the other file.
fn renumber(entry: &mut Entry, numbers: &Numbers) -> Result<()> {
    let number = |own: u32| numbers.get(&own).copied().unwrap_or(own);
    if numbers.iter().all(|(own, other)| own == other) {
        return Ok(());
    }
    if let Some(digests) = &mut entry.digests {
        let own: Vec<_> = repeats::digests(digests).collect();
        digests.clear();
        for (device, digest) in own {
            repeats::put_digest(digests, number(device), digest);
        }
    }
    if entry.class == Class::Telemetry {
        let mut samples = unpack(&entry.payload)?;
        for timed in &mut samples {
            timed.source = number(timed.source);
        }
        let packed = pack(&samples).pop().filter(|(_, count)| *count == samples.len());
        entry.payload = packed.context("a group of samples does not fit an entry")?.0;
    }
    Ok(())
}
