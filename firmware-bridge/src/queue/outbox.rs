//! The handle to the thread that owns the queue: disk work never stops the serial ports or the network.

use super::{Entry, Losses, Message, Queue, Refused};
use anyhow::{Context, Result};
use std::sync::Arc;
use std::thread;
use tokio::sync::{mpsc, oneshot, watch};

/// Commands that may wait; a port whose code finds it full waits, it loses nothing.
const DEPTH: usize = 256;

enum Command {
    Push(Message, oneshot::Sender<Result<u64, Refused>>),
    After(u64, usize, oneshot::Sender<Vec<Arc<Entry>>>),
    Done(Vec<u64>),
}

/// How the queue is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueState {
    /// Number of the newest message.
    pub newest: u64,
    /// Messages that wait.
    pub waiting: usize,
    /// Whether what waits would survive a power cut.
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
        thread::Builder::new()
            .name("queue".into())
            .spawn(move || serve(queue, inbox, &state))
            .context("cannot start the queue's thread")?;
        Ok(Self { commands, state: watched })
    }

    /// Hands a message over; the answer comes when it is on disk.
    pub async fn push(&self, message: Message) -> Result<u64, Refused> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Push(message, answer)).await.map_err(|_| Refused::Closed)?;
        answered.await.map_err(|_| Refused::Closed)?
    }

    /// The oldest messages with a number above `after`.
    pub async fn after(&self, after: u64, limit: usize) -> Result<Vec<Arc<Entry>>, Refused> {
        let (answer, answered) = oneshot::channel();
        self.commands
            .send(Command::After(after, limit, answer))
            .await
            .map_err(|_| Refused::Closed)?;
        answered.await.map_err(|_| Refused::Closed)
    }

    /// Forgets messages.
    pub async fn done(&self, seqs: Vec<u64>) -> Result<(), Refused> {
        self.commands.send(Command::Done(seqs)).await.map_err(|_| Refused::Closed)
    }

    /// How the queue is doing, whenever that changes.
    pub fn state(&self) -> watch::Receiver<QueueState> {
        self.state.clone()
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

fn serve(mut queue: Queue, mut inbox: mpsc::Receiver<Command>, state: &watch::Sender<QueueState>) {
    let mut commands = Vec::with_capacity(DEPTH);
    while inbox.blocking_recv_many(&mut commands, DEPTH) > 0 {
        let mut messages = Vec::new();
        let mut waiting = Vec::new();
        for command in commands.drain(..) {
            match command {
                Command::Push(message, answer) => {
                    messages.push(message);
                    waiting.push(answer);
                }
                Command::After(after, limit, answer) => {
                    // Whoever asked may have left; the queue does not care.
                    let _ = answer.send(queue.after(after, limit));
                }
                Command::Done(seqs) => queue.done(&seqs),
            }
        }
        for (answer, result) in waiting.into_iter().zip(queue.push(messages)) {
            let _ = answer.send(result);
        }
        state.send_if_modified(|known| {
            let now = state_of(&queue);
            std::mem::replace(known, now) != now
        });
    }
}
