//! What was presented and is not acked yet: kept in one small file, so that neither a restart nor a power cut loses it.
//!
//! Whoever pushes a tap is answered when the file is synced. What a broken or full disk refuses stays in memory and
//! is published all the same: a gym whose card has died should still see its taps. [`Queue`] is the file;
//! [`Outbox`] is the handle to the thread that owns it.

mod file;
mod outbox;
mod record;

pub use file::peek;
pub use outbox::{Outbox, QueueState};

use crate::clock::Moment;
use anyhow::{Context, Result, bail};
use file::QueueFile;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use tracing::{error, info, warn};

/// A larger message is refused; the agent takes no more either.
pub const MAX_PAYLOAD: usize = 60 * 1024;

/// Below this size a file is never worth rewriting.
const REWRITE_ABOVE: u64 = 256 * 1024;

/// What may be dropped when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Somebody presented a credential: never dropped, and synced before anything else happens.
    Tap,
    /// Anything else: the oldest goes first. Synced with the next tap, or when there is time.
    Other,
    /// Its device keeps it until the ack: never on disk, and refused rather than that it drops anything.
    Lent,
}

/// Something to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What may be dropped.
    pub class: Class,
    /// Where it goes.
    pub topic: String,
    /// When it happened.
    pub taken: Moment,
    /// What it says; a tap without its age.
    pub payload: Vec<u8>,
}

/// A message in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Counts up in the order of arrival.
    pub seq: u64,
    /// What may be dropped.
    pub class: Class,
    /// Where it goes.
    pub topic: String,
    /// When it happened.
    pub taken: Moment,
    /// What it says; a tap without its age.
    pub payload: Vec<u8>,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The limit is reached, and there is nothing less important to drop.
    #[error("the queue is full")]
    Full,
    /// The agent does not let this bridge say it.
    #[error("the agent refused the message")]
    Denied,
    /// Topic or payload are longer than any of ours.
    #[error("the message is too long")]
    TooLong,
    /// The bridge is stopping.
    #[error("the queue is closed")]
    Closed,
}

/// What the queue could not keep, since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Messages dropped to make room.
    pub dropped: u64,
    /// Messages not taken, since there was no room to make.
    pub refused: u64,
}

/// Where the queue lives and how large it may grow.
#[derive(Debug, Clone)]
pub struct QueueConfig {
    /// A folder of its own.
    pub path: PathBuf,
    /// Limit for what waits. The file may for a moment take three times as much.
    pub max_bytes: u64,
}

/// The queue itself. Every call may touch the disk.
#[derive(Debug)]
pub struct Queue {
    file: QueueFile,
    live: BTreeMap<u64, Arc<Entry>>,
    /// The numbers in `live` that may be dropped.
    others: BTreeSet<u64>,
    live_bytes: u64,
    max_bytes: u64,
    next_seq: u64,
    losses: Losses,
    /// Whether a power cut could take something that was kept.
    is_unsynced: bool,
}

impl Queue {
    /// Opens the queue of a folder with what an earlier run left in it.
    ///
    /// A folder that cannot be used is reported and leaves the queue in memory; only one that another bridge
    /// uses is an error.
    pub fn open(config: &QueueConfig) -> Result<Self> {
        let (file, found) = QueueFile::open(&config.path)
            .with_context(|| format!("queue.path {}", config.path.display()))?;
        let mut queue = Self {
            file,
            live: BTreeMap::new(),
            others: BTreeSet::new(),
            live_bytes: 0,
            max_bytes: config.max_bytes,
            next_seq: found.next_seq,
            losses: Losses::default(),
            is_unsynced: false,
        };
        for entry in found.entries {
            queue.insert(entry);
        }
        // A killed bridge may not have come to its sync.
        queue.is_unsynced = !queue.live.is_empty();
        if queue.is_unsynced {
            info!(messages = queue.live.len(), "messages of an earlier run wait for the agent");
        }
        Ok(queue)
    }

    /// Takes messages in; if there is a tap among them, with one sync for all. A number says that the message waits.
    pub fn push(&mut self, messages: Vec<Message>) -> Vec<Result<u64, Refused>> {
        let mut bytes = Vec::new();
        let is_urgent = messages.iter().any(|message| message.class == Class::Tap);
        self.is_unsynced |= messages.iter().any(|message| message.class == Class::Other);
        let answers = messages.into_iter().map(|message| self.admit(message, &mut bytes)).collect();
        self.write(&bytes, is_urgent);
        answers
    }

    /// Whether a power cut could take something that was kept.
    pub fn is_unsynced(&self) -> bool {
        self.is_unsynced
    }

    /// Makes everything that was kept safe from a power cut.
    pub fn sync(&mut self) {
        self.is_unsynced = false;
        self.file.append(&[], true);
    }

    /// Whether the message with this number still waits.
    pub fn holds(&self, seq: u64) -> bool {
        self.live.contains_key(&seq)
    }

    /// The oldest messages with a number above `after`.
    pub fn after(&self, after: u64, limit: usize) -> Vec<Arc<Entry>> {
        self.live
            .range(after.saturating_add(1)..)
            .take(limit)
            .map(|(_, entry)| entry.clone())
            .collect()
    }

    /// Forgets messages. Not synced: what comes back after a power cut is sent again, and is a repeat to the agent.
    pub fn done(&mut self, seqs: &[u64]) {
        let mut bytes = Vec::new();
        for seq in seqs {
            self.remove(*seq, &mut bytes);
        }
        if self.file.len() > REWRITE_ABOVE.max(2 * self.live_bytes) {
            self.rewrite();
        } else {
            self.write(&bytes, false);
        }
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Number of the newest message, 0 before the first.
    pub fn newest(&self) -> u64 {
        self.next_seq - 1
    }

    /// What could not be kept.
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// Whether what waits would survive a power cut.
    pub fn is_durable(&self) -> bool {
        self.file.is_healthy()
    }

    fn admit(&mut self, message: Message, bytes: &mut Vec<u8>) -> Result<u64, Refused> {
        if message.topic.len() > record::MAX_TOPIC || message.payload.len() > MAX_PAYLOAD {
            self.losses.refused += 1;
            return Err(Refused::TooLong);
        }
        let size = record::size(&message.topic, &message.payload);
        if message.class == Class::Lent && self.live_bytes + size > self.max_bytes {
            return Err(Refused::Full);
        }
        self.make_room(size, bytes)?;
        let Message { class, topic, taken, payload } = message;
        let entry = Entry { seq: self.next_seq, class, topic, taken, payload };
        if entry.class != Class::Lent {
            record::write_kept(bytes, &entry);
        }
        let seq = entry.seq;
        self.insert(entry);
        Ok(seq)
    }

    fn make_room(&mut self, size: u64, bytes: &mut Vec<u8>) -> Result<(), Refused> {
        while self.live_bytes + size > self.max_bytes {
            let Some(&oldest) = self.others.first() else {
                self.losses.refused += 1;
                error!(refused = self.losses.refused, "queue is full of taps: message refused");
                return Err(Refused::Full);
            };
            self.remove(oldest, bytes);
            self.losses.dropped += 1;
            if self.losses.dropped.is_power_of_two() {
                warn!(dropped = self.losses.dropped, "queue is full: oldest message dropped");
            }
        }
        Ok(())
    }

    fn insert(&mut self, entry: Entry) {
        self.next_seq = self.next_seq.max(entry.seq + 1);
        self.live_bytes += record::size(&entry.topic, &entry.payload);
        if entry.class != Class::Tap {
            self.others.insert(entry.seq);
        }
        self.live.insert(entry.seq, Arc::new(entry));
    }

    fn remove(&mut self, seq: u64, bytes: &mut Vec<u8>) {
        let Some(entry) = self.live.remove(&seq) else { return };
        self.live_bytes -= record::size(&entry.topic, &entry.payload);
        self.others.remove(&seq);
        if entry.class != Class::Lent {
            record::write_done(bytes, seq);
        }
    }

    /// After a failure the file's end is unknown, so the next try writes everything anew.
    fn write(&mut self, bytes: &[u8], synced: bool) {
        if bytes.is_empty() {
            return;
        }
        if self.file.is_healthy() {
            self.file.append(bytes, synced);
            self.is_unsynced &= !synced;
        } else {
            self.rewrite();
        }
    }

    fn rewrite(&mut self) {
        let mut bytes = Vec::new();
        for entry in self.live.values().filter(|entry| entry.class != Class::Lent) {
            record::write_kept(&mut bytes, entry);
        }
        self.file.replace(&bytes);
        self.is_unsynced = false;
    }
}

impl QueueConfig {
    /// The smallest queue that is worth having.
    pub const MIN_BYTES: u64 = 64 * 1024;

    /// Refuses limits that cannot work.
    pub fn check(&self) -> Result<()> {
        if self.max_bytes < Self::MIN_BYTES {
            bail!("queue.max_bytes: must be at least {}", Self::MIN_BYTES);
        }
        if self.path.as_os_str().is_empty() {
            bail!("queue.path: must not be empty");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
