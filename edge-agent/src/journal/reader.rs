//! Reading for the uplink, on a connection of its own: a read never delays a commit.

use super::classes::Class;
use super::connection;
use super::entry::Entry;
use super::epochs::{Epoch, Epochs};
use super::handle::BatchLimits;
use super::merge::Merge;
use super::packing::unpack;
use super::schema;
use crate::ops::clock::Clock;
use anyhow::{Context, Result};
use protocol::ids::DeviceId;
use protocol::sync::batch::{Batch, BatchEvent};
use protocol::sync::entry::{Body, Event, Gap, GapReason, Source, Stream};
use protocol::sync::state::Position;
use protocol::time::Stamp;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// Reads ranges of entries.
pub struct Reader {
    path: Mutex<PathBuf>,
    clock: Clock,
    epochs: Arc<Mutex<Epochs>>,
    open: Mutex<Option<Open>>,
    handed_out: AtomicU64,
    generation: AtomicU64,
}

struct Open {
    connection: Connection,
    devices: HashMap<u32, DeviceId>,
}

impl Reader {
    /// Nothing is opened before the first read.
    pub fn new(path: PathBuf, clock: Clock, epochs: Arc<Mutex<Epochs>>) -> Self {
        Self {
            path: Mutex::new(path),
            clock,
            epochs,
            open: Mutex::new(None),
            handed_out: AtomicU64::new(0),
            generation: AtomicU64::new(0),
        }
    }

    /// The file was set aside: the next read opens the new one.
    pub fn reset(&self) {
        let mut open = lock(&self.open);
        self.generation.fetch_add(1, Ordering::AcqRel);
        *open = None;
    }

    /// The file is elsewhere now, and all keys are higher. Nobody reads while `change` is done.
    pub fn move_to(&self, path: PathBuf, shift: u64, change: impl FnOnce()) {
        let mut open = lock(&self.open);
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.handed_out.fetch_add(shift, Ordering::AcqRel);
        *open = None;
        *lock(&self.path) = path;
        change();
    }

    /// The entries behind `after`, or behind what the cloud has, as many as the limits allow; at least one. With
    /// it, the generation of the file that was read.
    pub fn read(
        &self,
        after: Option<Position>,
        limits: BatchLimits,
    ) -> (u64, Result<Option<Batch>>) {
        let mut open = lock(&self.open);
        let generation = self.generation();
        (generation, self.read_from(&mut open, after, limits))
    }

    fn read_from(
        &self,
        open: &mut Option<Open>,
        after: Option<Position>,
        limits: BatchLimits,
    ) -> Result<Option<Batch>> {
        let range = lock(&self.epochs).next_range(after);
        let Some((epoch, first_seq)) = range else { return Ok(None) };
        if open.is_none() {
            let connection =
                connection::reading(&lock(&self.path)).context("opening the journal to read")?;
            *open = Some(Open { connection, devices: HashMap::new() });
        }
        let Some(open) = open.as_mut() else { return Ok(None) };
        let mut taken = Taken::new(epoch, first_seq, self.clock.stamp());
        taken.fill(&open.connection, limits).context("reading the journal")?;
        open.learn_devices().context("reading the numbers of devices")?;
        self.handed_out.fetch_max(taken.epoch.pos(taken.next_seq), Ordering::Release);
        Ok(Some(taken.finish(&open.devices)))
    }

    /// The file that is read.
    pub fn path(&self) -> PathBuf {
        lock(&self.path).clone()
    }

    /// Which file is read, counted from 0: damage that was seen in an earlier one means nothing.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Entries before this key were read for the cloud, which may have them.
    pub fn handed_out(&self) -> u64 {
        self.handed_out.load(Ordering::Acquire)
    }

    /// When the oldest entry that the cloud does not have was written.
    pub fn oldest_unsent(
        connection: &Connection,
        epochs: &Epochs,
    ) -> rusqlite::Result<Option<Stamp>> {
        let Some(epoch) = epochs.oldest_unsent() else { return Ok(None) };
        let range = [epoch.pos(epoch.acked_seq + 1), epoch.pos(epoch.last_seq + 1), 1];
        let entry = connection
            .prepare_cached(schema::ENTRIES)?
            .query_row(range.map(u64::cast_signed), Entry::read)
            .optional()?;
        Ok(entry.flatten().map(|entry| entry.stamp))
    }
}

impl Open {
    /// Numbers are only ever added.
    fn learn_devices(&mut self) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(schema::DEVICES)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.devices.insert(row.get(0)?, DeviceId(Uuid::from_bytes(row.get(1)?)));
        }
        Ok(())
    }
}

/// A batch in the making.
struct Taken {
    epoch: Epoch,
    first_seq: u64,
    /// The number that is expected next.
    next_seq: u64,
    stamp: Stamp,
    merge: Merge,
    samples: u64,
    events: Vec<BatchEvent>,
    event_bytes: usize,
}

impl Taken {
    fn new(epoch: Epoch, first_seq: u64, stamp: Stamp) -> Self {
        Self {
            epoch,
            first_seq,
            next_seq: first_seq,
            stamp,
            merge: Merge::default(),
            samples: 0,
            events: Vec::new(),
            event_bytes: 0,
        }
    }

    fn fill(&mut self, connection: &Connection, limits: BatchLimits) -> rusqlite::Result<()> {
        self.take_rest_of_straddling(connection)?;
        let range = [
            self.epoch.pos(self.next_seq),
            self.epoch.pos(self.epoch.last_seq + 1),
            limits.entries,
        ];
        let mut statement = connection.prepare_cached(schema::ENTRIES)?;
        let mut rows = statement.query(range.map(u64::cast_signed))?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            count += 1;
            let Some(entry) = Entry::read(row)?.filter(|entry| entry.epoch == self.epoch.epoch)
            else {
                continue;
            };
            if entry.seq < self.next_seq {
                continue;
            }
            if self.next_seq > self.first_seq && self.is_too_much(&entry, limits) {
                return Ok(());
            }
            self.take_hole(entry.seq - 1);
            self.take(entry);
        }
        if count < limits.entries {
            self.take_hole(self.epoch.last_seq);
        } else if self.next_seq == self.first_seq {
            // Nothing of a whole read could be used; its keys are known all the same.
            self.take_hole(self.epoch.last_seq.min(self.first_seq + count - 1));
        }
        Ok(())
    }

    /// The cloud has the first part of an entry that was thinned since: its samples may not be told again.
    fn take_rest_of_straddling(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let before = connection
            .prepare_cached(schema::ENTRY_BEFORE)?
            .query_row([self.epoch.pos(self.first_seq).cast_signed()], Entry::read)
            .optional()?
            .flatten();
        let Some(entry) = before
            .filter(|entry| entry.epoch == self.epoch.epoch && entry.last_seq() >= self.first_seq)
        else {
            return Ok(());
        };
        let (stream, reason) = match entry.class {
            Class::Gap => gap_of(&entry),
            class => (class.stream(), GapReason::Thinned),
        };
        self.take_gap(stream, reason, entry.last_seq(), 0);
        Ok(())
    }

    fn is_too_much(&self, entry: &Entry, limits: BatchLimits) -> bool {
        if entry.class == Class::Telemetry {
            self.samples + entry.count > limits.samples
        } else {
            self.event_bytes + entry.payload.len() > limits.event_bytes
        }
    }

    fn take(&mut self, entry: Entry) {
        if entry.class == Class::Telemetry {
            match unpack(&entry.payload) {
                Ok(samples) => {
                    self.samples += samples.len() as u64;
                    if entry.missing > 0 {
                        self.note_gap(Stream::Telemetry, GapReason::Thinned, &entry, entry.missing);
                    }
                    self.merge.add(entry.stamp, samples);
                }
                Err(error) => {
                    tracing::error!(%error, pos = entry.pos, "an entry of the journal cannot be unpacked");
                    self.note_gap(Stream::Telemetry, GapReason::Damaged, &entry, entry.count);
                }
            }
            self.next_seq = entry.last_seq() + 1;
        } else {
            self.next_seq = entry.last_seq() + 1;
            self.event_bytes += entry.payload.len();
            self.events.push(BatchEvent { seq: entry.seq, event: entry.payload });
        }
    }

    /// Numbers up to here should be there and are not.
    fn take_hole(&mut self, last_seq: u64) {
        if self.next_seq <= last_seq {
            self.take_gap(Stream::Fact, GapReason::Damaged, last_seq, 0);
        }
    }

    fn take_gap(&mut self, stream: Stream, reason: GapReason, last_seq: u64, count: u64) {
        let gap = Gap { stream, reason, first_seq: self.next_seq, last_seq, count };
        self.push_gap(self.stamp, gap);
        self.next_seq = last_seq + 1;
    }

    fn note_gap(&mut self, stream: Stream, reason: GapReason, entry: &Entry, count: u64) {
        let (first_seq, last_seq) = (entry.seq, entry.last_seq());
        self.push_gap(entry.stamp, Gap { stream, reason, first_seq, last_seq, count });
    }

    fn push_gap(&mut self, stamp: Stamp, gap: Gap) {
        let seq = gap.first_seq;
        let event = Event { stamp, source: Source::Edge, body: Body::Gap(gap) }.encode();
        self.events.push(BatchEvent { seq, event });
    }

    fn finish(self, devices: &HashMap<u32, DeviceId>) -> Batch {
        // A number nobody knows is told as a machine nobody knows: the cloud sets it aside, nothing is lost.
        let device = |number| devices.get(&number).copied().unwrap_or(DeviceId(Uuid::nil()));
        Batch {
            epoch: self.epoch.epoch,
            first_seq: self.first_seq,
            last_seq: self.next_seq - 1,
            telemetry: self.merge.finish(device),
            events: self.events,
        }
    }
}

fn gap_of(entry: &Entry) -> (Stream, GapReason) {
    match Event::decode(&entry.payload) {
        Ok(Event { body: Body::Gap(gap), .. }) => (gap.stream, gap.reason),
        _ => (Stream::Fact, GapReason::Damaged),
    }
}

/// A panic of another thread leaves nothing half-done in what these locks guard.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
