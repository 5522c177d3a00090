//! The handle to the thread that owns the queue: disk work never stops the serial ports or the network.

use super::{Entry, Losses, Message, Queue, Refused};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

/// Commands that may wait; a port whose code finds it full waits, it loses nothing.
const DEPTH: usize = 256;

/// What is kept without a sync of its own is synced after this time at the latest.
const SYNC_WITHIN: Duration = Duration::from_secs(5);

enum Command {
    Push(Message, oneshot::Sender<Result<u64, Refused>>),
    Deliver(Message, oneshot::Sender<Result<(), Refused>>),
    After(u64, usize, oneshot::Sender<Vec<Arc<Entry>>>),
    /// The agent took them, or will never do so.
    Done(Vec<u64>, Result<(), Refused>),
}

/// How the queue is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueState {
    /// Number of the newest message.
    pub newest: u64,
    /// Messages that wait.
    pub waiting: usize,
    /// Whether taps that wait would survive a power cut.
    pub durable: bool,
    /// What could not be kept.
    pub losses: Losses,
}

/// Puts messages into the queue and takes them out of it.
#[derive(Debug, Clone)]
pub struct Outbox {
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<QueueState>,
}

impl Outbox {
    /// Gives the queue a thread of its own, which ends when the last handle is dropped.
    pub fn start(queue: Queue) -> Result<Self> {
        let (commands, inbox) = mpsc::channel(DEPTH);
        let (state, watched) = watch::channel(state_of(&queue));
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let keeper = Keeper { queue, awaited: BTreeMap::new(), state, sync_at: None };
        thread::Builder::new()
            .name("queue".into())
            .spawn(move || runtime.block_on(keeper.serve(inbox)))
            .context("cannot start the queue's thread")?;
        Ok(Self { commands, state: watched })
    }

    /// Hands a message over; the answer comes when it is kept: a tap on disk, anything else on its way there.
    pub async fn push(&self, message: Message) -> Result<u64, Refused> {
        self.ask(|answer| Command::Push(message, answer)).await?
    }

    /// Hands a message over that its device keeps; the answer comes when the agent has acked it.
    pub async fn deliver(&self, message: Message) -> Result<(), Refused> {
        self.ask(|answer| Command::Deliver(message, answer)).await?
    }

    /// The oldest messages with a number above `after`.
    pub async fn after(&self, after: u64, limit: usize) -> Result<Vec<Arc<Entry>>, Refused> {
        self.ask(|answer| Command::After(after, limit, answer)).await
    }

    /// Forgets messages that the agent has acked.
    pub async fn done(&self, seqs: Vec<u64>) -> Result<(), Refused> {
        self.end(seqs, Ok(())).await
    }

    /// Forgets messages that the agent will never take.
    pub async fn give_up(&self, seqs: Vec<u64>) -> Result<(), Refused> {
        self.end(seqs, Err(Refused::Denied)).await
    }

    /// How the queue is doing, whenever that changes.
    pub fn state(&self) -> watch::Receiver<QueueState> {
        self.state.clone()
    }

    async fn end(&self, seqs: Vec<u64>, outcome: Result<(), Refused>) -> Result<(), Refused> {
        self.commands.send(Command::Done(seqs, outcome)).await.map_err(|_| Refused::Closed)
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Refused> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).await.map_err(|_| Refused::Closed)?;
        answered.await.map_err(|_| Refused::Closed)
    }
}

fn state_of(queue: &Queue) -> QueueState {
    QueueState {
        newest: queue.newest(),
        waiting: queue.len(),
        durable: queue.is_durable(),
        losses: queue.losses(),
    }
}

/// Who is told that a message waits, or that the agent has it.
enum Asker {
    Kept(oneshot::Sender<Result<u64, Refused>>),
    Acked(oneshot::Sender<Result<(), Refused>>),
}

/// The thread's side.
struct Keeper {
    queue: Queue,
    /// Who waits for the ack of which message.
    awaited: BTreeMap<u64, oneshot::Sender<Result<(), Refused>>>,
    state: watch::Sender<QueueState>,
    sync_at: Option<Instant>,
}

impl Keeper {
    async fn serve(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut commands = Vec::with_capacity(DEPTH);
        loop {
            let due = self.sync_at.unwrap_or_else(|| Instant::now() + Duration::from_hours(1));
            match timeout_at(due, inbox.recv_many(&mut commands, DEPTH)).await {
                Ok(0) => break,
                Ok(_) => self.carry_out(&mut commands),
                Err(_) if self.queue.is_unsynced() => self.queue.sync(),
                Err(_) => {}
            }
            self.sync_at = self
                .queue
                .is_unsynced()
                .then(|| self.sync_at.unwrap_or_else(|| Instant::now() + SYNC_WITHIN));
            self.state.send_if_modified(|known| {
                let now = state_of(&self.queue);
                std::mem::replace(known, now) != now
            });
        }
        if self.queue.is_unsynced() {
            self.queue.sync();
        }
    }

    fn carry_out(&mut self, commands: &mut Vec<Command>) {
        let (mut messages, mut askers) = (Vec::new(), Vec::new());
        for command in commands.drain(..) {
            match command {
                Command::Push(message, answer) => {
                    messages.push(message);
                    askers.push(Asker::Kept(answer));
                }
                Command::Deliver(message, answer) => {
                    messages.push(message);
                    askers.push(Asker::Acked(answer));
                }
                Command::After(after, limit, answer) => {
                    // Whoever asked may have left; the queue does not care.
                    let _ = answer.send(self.queue.after(after, limit));
                }
                Command::Done(seqs, outcome) => self.end(&seqs, outcome),
            }
        }
        let answers = self.queue.push(messages);
        for (asker, result) in askers.into_iter().zip(answers) {
            match (asker, result) {
                (Asker::Kept(answer), result) => drop(answer.send(result)),
                (Asker::Acked(answer), Err(refused)) => drop(answer.send(Err(refused))),
                (Asker::Acked(answer), Ok(seq)) => drop(self.awaited.insert(seq, answer)),
            }
        }
        self.tell_dropped();
    }

    fn end(&mut self, seqs: &[u64], outcome: Result<(), Refused>) {
        self.queue.done(seqs);
        for answer in seqs.iter().filter_map(|seq| self.awaited.remove(seq)) {
            let _ = answer.send(outcome);
        }
    }

    /// A tap that needed room may have taken that of a message whose device still has it.
    fn tell_dropped(&mut self) {
        let queue = &self.queue;
        let gone: Vec<u64> =
            self.awaited.keys().copied().filter(|seq| !queue.holds(*seq)).collect();
        for answer in gone.iter().filter_map(|seq| self.awaited.remove(seq)) {
            let _ = answer.send(Err(Refused::Full));
        }
    }
}
