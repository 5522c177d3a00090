//! The one thread that writes: takes messages in order, commits them in groups, then tells who waits.
//!
//! While a commit fails, its group is kept and tried again and nothing else is taken in: the queue fills, the
//! sockets wait, and nobody is acked.

use super::commit::{Sealed, StoreError, Written};
use super::config::JournalConfig;
use super::epochs::Epochs;
use super::exile::Exile;
use super::group::Group;
use super::handle::Order;
use super::intake::{Memory, add_event};
use super::message::{Committed, Received};
use super::reader::{Reader, lock};
use super::stats::{JournalStats, Mode};
use super::upkeep::Upkeep;
use crate::ops::clock::Clock;
use protocol::sync::entry::{Body, Event, Notice, Source};
use protocol::sync::state::Position;
use protocol::time::Stamp;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

const TICK: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(500);

/// Everything the thread owns.
pub struct Writer {
    pub(super) config: JournalConfig,
    pub(super) path: PathBuf,
    pub(super) clock: Clock,
    pub(super) connection: Connection,
    pub(super) epochs: Arc<Mutex<Epochs>>,
    pub(super) reader: Arc<Reader>,
    pub(super) memory: Memory,
    pub(super) group: Group,
    pub(super) failed: Option<Failed>,
    /// The rest of an order, while its first part cannot be committed.
    pub(super) rest: Option<(Stamp, std::vec::IntoIter<Received>)>,
    /// The journal is not where it belongs.
    pub(super) exile: Option<Exile>,
    pub(super) upkeep: Upkeep,
    pub(super) stats: JournalStats,
    pub(super) out: Outputs,
    /// For threads that report back; it keeps nobody alive.
    pub(super) orders: mpsc::WeakSender<Order>,
}

/// A group whose commit failed.
pub struct Failed {
    sealed: Sealed,
    tries: u32,
    retry_at: Instant,
}

/// Where results go.
pub struct Outputs {
    /// Latest committed position.
    pub committed: watch::Sender<Position>,
    /// What was committed.
    pub items: broadcast::Sender<Arc<Committed>>,
    /// Figures.
    pub stats: watch::Sender<JournalStats>,
}

impl Writer {
    /// Runs until the journal is closed.
    pub fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        // A runtime of its own, for its timers only: neither paused clocks of tests nor busy workers matter here.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let closed = match runtime {
            Ok(runtime) => runtime.block_on(self.follow(&mut orders)),
            Err(error) => {
                tracing::error!(%error, "the journal has no timers and ends");
                None
            }
        };
        self.end();
        if let Some(closed) = closed {
            let _ = closed.send(());
        }
    }

    /// Until the end; whom to tell about it.
    async fn follow(&mut self, orders: &mut mpsc::Receiver<Order>) -> Option<oneshot::Sender<()>> {
        let mut tick = Instant::now() + TICK;
        loop {
            let now = Instant::now();
            if tick <= now {
                tick = now + TICK;
                self.tick();
                if !self.has_pending() {
                    self.tell_book();
                }
                self.look_home(now);
            }
            if self.due().is_some_and(|due| due <= now) {
                self.commit(now);
                self.keep_log_short();
                self.upkeep_between_commits(now);
                continue;
            }
            if self.failed.is_some() {
                tokio::time::sleep_until(self.due().unwrap_or(tick).min(tick)).await;
                continue;
            }
            if let Some((stamp, messages)) = self.rest.take() {
                self.accept(stamp, messages);
                continue;
            }
            let Some(order) = self.next(orders, tick).await else { continue };
            match order {
                None => return None,
                Some(Order::Close(done)) => return Some(done),
                Some(order) => self.obey(order),
            }
        }
    }

    /// The next order, `Some(None)` when there will be none, nothing when something is due first.
    async fn next(
        &mut self,
        orders: &mut mpsc::Receiver<Order>,
        tick: Instant,
    ) -> Option<Option<Order>> {
        match orders.try_recv() {
            Ok(order) => return Some(Some(order)),
            Err(mpsc::error::TryRecvError::Disconnected) => return Some(None),
            Err(mpsc::error::TryRecvError::Empty) => {}
        }
        if self.upkeep_unit() {
            return None;
        }
        let until = self.due().map_or(tick, |due| due.min(tick));
        timeout_at(until, orders.recv()).await.ok()
    }

    /// Something was taken in that is not committed.
    pub(super) fn has_pending(&self) -> bool {
        self.failed.is_some() || !self.group.is_empty()
    }

    /// When the next commit is to be tried.
    fn due(&self) -> Option<Instant> {
        match &self.failed {
            Some(failed) => Some(failed.retry_at),
            None => self.group.due(self.config.group_time()),
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Received(stamp, messages) => self.accept(stamp, messages.into_iter()),
            Order::DecideWith(decider, used) => {
                self.memory.decider.0 = Some(decider);
                self.memory.show(true);
                for (card, counter) in used {
                    self.memory.spent.use_counter(card, counter);
                }
            }
            Order::Ask(stamp, petition) => {
                self.memory.ask(&mut self.group, Instant::now(), stamp, petition);
            }
            Order::Acked => self.upkeep.wants_deletion = true,
            Order::Rewind(to) => self.rewound(to),
            Order::SetAside(generation, reason) => {
                if generation == self.reader.generation() {
                    self.set_aside(&reason);
                }
            }
            Order::Restore(salvaged) => self.restore(salvaged),
            Order::Close(_) => {}
        }
    }

    fn accept(&mut self, stamp: Stamp, mut messages: std::vec::IntoIter<Received>) {
        let now = Instant::now();
        while let Some(message) = messages.next() {
            self.memory.accept(&mut self.group, now, stamp, message);
            if self.group.is_full() {
                self.commit(now);
                self.keep_log_short();
            }
            if self.failed.is_some() {
                self.rest = Some((stamp, messages)).filter(|(_, rest)| rest.len() > 0);
                return;
            }
        }
    }

    /// Puts a notice about the journal itself into the next commit.
    pub(super) fn notice(&mut self, code: &str, detail: String) {
        tracing::warn!(code, detail, "journal");
        let body = Body::Notice(Notice { code: code.to_owned(), detail });
        let event = Event { stamp: self.clock.stamp(), source: Source::Edge, body };
        let bytes = add_event(&mut self.group, &event, None);
        self.group.arrived(Instant::now(), bytes);
    }

    /// Commits what is pending, or tries again.
    pub(super) fn commit(&mut self, now: Instant) {
        let (mut sealed, tries) = match self.failed.take() {
            Some(failed) => (failed.sealed, failed.tries),
            None if self.group.is_empty() => return,
            None => {
                let group = std::mem::take(&mut self.group);
                (Sealed::new(group, &self.memory, self.clock.stamp()), 0)
            }
        };
        let epoch = lock(&self.epochs).current();
        if sealed.is_empty() && !self.memory.is_changed() {
            self.finish(sealed, Written { last_seq: epoch.last_seq, ..Written::default() });
            return;
        }
        let snapshot = self.upkeep.snapshot_is_due() && self.group.is_empty();
        let copy = super::devices::copy_of(&self.path);
        match sealed.write(&mut self.connection, &self.memory, &epoch, (snapshot, &copy)) {
            Ok(written) => {
                let is_news = self.memory.book.is_changed();
                self.memory.saved();
                self.memory.show(is_news);
                if snapshot {
                    self.memory.repeats.saved();
                }
                self.upkeep.committed(&written, snapshot.then(|| epoch.pos(written.last_seq + 1)));
                self.finish(sealed, written);
            }
            Err(error) => {
                let retry_at = if tries == 0 { now } else { now + RETRY };
                self.failed = Some(Failed { sealed, tries: tries + 1, retry_at });
                self.recover(&error);
            }
        }
    }

    fn finish(&mut self, mut sealed: Sealed, written: Written) {
        lock(&self.epochs).current_mut().last_seq = written.last_seq;
        self.stats.commits += u64::from(written.entries > 0);
        self.stats.entries += written.entries;
        self.stats.samples += written.samples;
        if self.stats.mode == Mode::Failing {
            tracing::info!("the journal can be written again");
            self.stats.mode = Mode::Durable;
            self.publish_stats();
        }
        match &mut self.exile {
            Some(exile) => exile.wait(sealed.group.take_acks()),
            None => sealed.group.tell(),
        }
        self.tell_book();
        let position =
            Position { epoch: lock(&self.epochs).current().epoch, seq: written.last_seq };
        self.out.committed.send_replace(position);
        let items = std::mem::take(&mut sealed.group.items);
        if !items.is_empty() {
            // Nobody listening is fine.
            let _ = self.out.items.send(Arc::new(Committed { position, items }));
        }
    }

    /// What staff changed counts until the cloud has it.
    pub(super) fn tell_book(&mut self) {
        let epochs = lock(&self.epochs);
        let (end, acked) =
            (epochs.current().pos(epochs.current().last_seq + 1), epochs.acked_pos());
        self.memory.book.journaled(end, acked);
    }

    fn recover(&mut self, error: &StoreError) {
        if self.stats.mode == Mode::Durable {
            tracing::error!(%error, "the journal cannot be written; nothing is acked until it can");
            self.stats.mode = Mode::Failing;
        }
        self.stats.last_error = Some(error.to_string());
        self.publish_stats();
        if super::salvage::is_damaged(error) {
            self.set_aside(&error.to_string());
        } else if super::quota::is_full(error) {
            self.make_room_at_once();
        } else {
            self.reopen();
        }
    }

    /// A connection that met an I/O error may not know any more what is in the file.
    fn reopen(&mut self) {
        match super::connection::writing(&self.path, self.config.synchronous) {
            Ok(connection) => self.connection = connection,
            Err(error) => self.stats.last_error = Some(error.to_string()),
        }
    }

    fn end(mut self) {
        self.commit(Instant::now());
        self.upkeep.stop();
        let checkpoint = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        if let Err(error) = checkpoint {
            tracing::warn!(%error, "the journal's log stays as it is");
        }
        if self.stats.mode == Mode::Memory {
            let _ = std::fs::remove_dir_all(super::disk::folder_of(&self.path));
        }
    }
}
