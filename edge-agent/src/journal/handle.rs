//! The handle that the rest of the agent holds.

use super::decide::Decide;
use super::epochs::Epochs;
use super::message::{Committed, Received};
use super::reader::{Reader, lock};
use super::stats::JournalStats;
use crate::floor::Petition;
use crate::ops::clock::Clock;
use anyhow::{Context, Result};
use bytes::Bytes;
use protocol::sync::batch::Batch;
use protocol::sync::entry::{Body, Source};
use protocol::sync::state::Position;
use protocol::time::Stamp;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// The journal. Clones share it; it is closed when the last of them is gone, or by [`Journal::close`].
#[derive(Clone)]
pub struct Journal {
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) clock: Clock,
    pub(super) shared: Arc<Shared>,
}

/// What the writer shows to everybody.
pub struct Shared {
    pub(super) committed: watch::Receiver<Position>,
    pub(super) items: broadcast::Sender<Arc<Committed>>,
    pub(super) stats: watch::Receiver<JournalStats>,
    pub(super) epochs: Arc<Mutex<Epochs>>,
    pub(super) reader: Arc<Reader>,
}

/// What the journal found and did when it was opened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Opened {
    /// Number of this opening.
    pub epoch: u64,
    /// What staff should know; already journaled.
    pub notices: Vec<String>,
    /// Retained values by topic, for the router.
    pub retained: Vec<(String, Bytes)>,
}

/// How much a batch may hold. It always holds at least one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Samples; at most 100 000, so that a batch stays within its limit when inflated.
    pub samples: u64,
    /// Bytes of events; at most 4 MiB.
    pub event_bytes: usize,
    /// Entries.
    pub entries: u64,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { samples: 50_000, event_bytes: 1 << 20, entries: 10_000 }
    }
}

/// The journal is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal is closed")]
pub struct Closed;

/// What the writer is told, in one queue. It is bounded: whoever sends waits while it is full.
pub enum Order {
    /// Messages, and when they arrived.
    Received(Stamp, Vec<Received>),
    /// Who decides about taps from now on, and counters of cards that another memory knows as used.
    DecideWith(Box<dyn Decide>, Vec<([u8; 32], u32)>),
    /// Somebody asks something of the branch; nothing is asked when only the time is to pass.
    Ask(Stamp, Option<Petition>),
    /// The cloud has more than before; the cursor was moved already.
    Acked,
    /// The cloud expects this number next.
    Rewind(Position),
    /// The file of this generation is damaged.
    SetAside(u64, String),
    /// Entries of a file that was set aside.
    Restore(super::salvage::Salvaged),
    /// Commit what is there, and end.
    Close(oneshot::Sender<()>),
}

impl Journal {
    /// Hands messages over. Waits while the journal cannot keep up, so that the sockets feel it.
    pub async fn submit(&self, messages: Vec<Received>) -> Result<(), Closed> {
        let order = Order::Received(self.clock.stamp(), messages);
        self.orders.send(order).await.map_err(|_| Closed)
    }

    /// Journals something about the edge itself.
    pub async fn note(&self, body: Body) -> Result<(), Closed> {
        self.submit(vec![Received::new(Source::Edge, super::What::Event(body))]).await
    }

    /// From now on, taps are decided in the commit that journals them. `used` are counters of cards that were used
    /// according to another memory, in case this one was lost.
    pub async fn decide_with(
        &self,
        decider: Box<dyn Decide>,
        used: Vec<([u8; 32], u32)>,
    ) -> Result<(), Closed> {
        self.orders.send(Order::DecideWith(decider, used)).await.map_err(|_| Closed)
    }

    /// Hands a request to whoever decides. Its reply comes when what it came to is on disk.
    pub async fn ask(&self, petition: Petition) -> Result<(), Closed> {
        let order = Order::Ask(self.clock.stamp(), Some(petition));
        self.orders.send(order).await.map_err(|_| Closed)
    }

    /// Lets happen on the floor what falls due by now.
    pub async fn let_time_pass(&self) -> Result<(), Closed> {
        self.orders.send(Order::Ask(self.clock.stamp(), None)).await.map_err(|_| Closed)
    }

    /// The last position that is on disk.
    pub fn committed(&self) -> watch::Receiver<Position> {
        self.shared.committed.clone()
    }

    /// Every commit from now on. Bounded: who is too slow loses the oldest and is told how many
    /// (`RecvError::Lagged`); retained values can then be read again with [`Journal::stats`]' epoch unchanged.
    pub fn events(&self) -> broadcast::Receiver<Arc<Committed>> {
        self.shared.items.subscribe()
    }

    /// How many entries the cloud does not have, at this very moment.
    pub fn backlog_entries(&self) -> u64 {
        lock(&self.shared.epochs).backlog()
    }

    /// How it is doing.
    pub fn stats(&self) -> watch::Receiver<JournalStats> {
        self.shared.stats.clone()
    }

    /// The database file; in memory-only mode it is not where it was asked for.
    pub fn path(&self) -> PathBuf {
        self.shared.reader.path()
    }

    /// What the cloud does not have, oldest first. The same again until [`Journal::acked`].
    pub async fn read_batch(&self, limits: BatchLimits) -> Result<Option<Batch>> {
        self.read(None, limits).await
    }

    /// What follows a batch that is still on its way: `after` is its epoch and `last_seq`.
    pub async fn read_batch_after(
        &self,
        after: Position,
        limits: BatchLimits,
    ) -> Result<Option<Batch>> {
        self.read(Some(after), limits).await
    }

    async fn read(&self, after: Option<Position>, limits: BatchLimits) -> Result<Option<Batch>> {
        let limits = BatchLimits {
            samples: limits.samples.min(100_000),
            event_bytes: limits.event_bytes.min(4 << 20),
            entries: limits.entries.max(1),
        };
        let reader = Arc::clone(&self.shared.reader);
        let read = tokio::task::spawn_blocking(move || reader.read(after, limits)).await;
        let (generation, batch) = read.context("reading the journal was given up")?;
        if let Err(error) = &batch
            && super::salvage::is_damage(error)
        {
            let _ = self.orders.send(Order::SetAside(generation, format!("{error:#}"))).await;
        }
        batch
    }

    /// The cloud has everything of the epoch up to `seq`. The entries are deleted bit by bit.
    pub async fn acked(&self, epoch: u64, seq: u64) {
        if let Some(known) = lock(&self.shared.epochs).find_mut(epoch) {
            known.acked_seq = known.acked_seq.max(seq.min(known.last_seq));
        }
        let _ = self.orders.send(Order::Acked).await;
    }

    /// The cloud answered `out_of_order`: it expects this number next. If it is lower than what it had acked (the
    /// cloud was restored from a backup), what is gone here is told as a gap; if it is higher, it has more.
    pub async fn rewind(&self, epoch: u64, expected_seq: u64) {
        if let Some(known) = lock(&self.shared.epochs).find_mut(epoch) {
            known.acked_seq = expected_seq.saturating_sub(1).min(known.last_seq);
        }
        let _ = self.orders.send(Order::Rewind(Position { epoch, seq: expected_seq })).await;
    }

    /// Commits what is pending and closes. Messages handed over later are refused.
    pub async fn close(&self) {
        let (done, ended) = oneshot::channel();
        if self.orders.send(Order::Close(done)).await.is_ok() {
            let _ = ended.await;
        }
    }
}
