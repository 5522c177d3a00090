//! What the clients of the simulated gym have done so far: ids, counts and the time that acks took.

use crate::gym::Said;
use crate::ledger::{Ids, Ledger};
use crate::times::Times;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::Instant;

/// Shared by all clients.
#[derive(Debug)]
pub struct Tally {
    counts: Mutex<Counts>,
    turn: tokio::sync::Mutex<()>,
}

/// The counts themselves.
#[derive(Debug, Clone)]
pub struct Counts {
    /// Samples and sets, by id.
    pub ledger: Ledger,
    /// Messages handed to the client library.
    pub sent: u64,
    /// Messages acked by the edge.
    pub acked: u64,
    /// Samples among the acked.
    pub samples: u64,
    /// Sets among the acked.
    pub sets: u64,
    /// Codes that members presented.
    pub presented: Vec<String>,
    /// Cards and phones that members held to the reader.
    pub held: u64,
    /// What the door ought to have said, each with how often.
    pub expected: BTreeMap<String, i64>,
    /// Sets and samples that the board told.
    pub of_board: usize,
    /// How often each machine was lent.
    pub links: BTreeMap<String, i64>,
    /// Sets that were sent and acked while their machine was lent.
    pub of_members: Ids,
    /// Machines that are lent, each since when.
    lent: BTreeMap<String, Instant>,
    /// Machines in use.
    pub in_use: u64,
    /// From publish to ack of telemetry and states.
    pub grouped_acks: Times,
    /// From publish to ack of sets.
    pub set_acks: Times,
}

/// What a client keeps of a message until its ack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A sample with its number.
    Sample(u64),
    /// A set with its number.
    Set(u64),
    /// A state, which has no number.
    Status,
}

impl From<&Said> for Kind {
    fn from(said: &Said) -> Self {
        match said {
            Said::Sample(sample) => Self::Sample(sample.seq),
            Said::Set(set) => Self::Set(set.seq),
            Said::Status(_) => Self::Status,
        }
    }
}

impl Tally {
    /// Nothing yet.
    pub fn new() -> Self {
        let counts = Counts {
            ledger: Ledger::default(),
            sent: 0,
            acked: 0,
            samples: 0,
            sets: 0,
            presented: Vec::new(),
            held: 0,
            expected: BTreeMap::new(),
            of_board: 0,
            links: BTreeMap::new(),
            of_members: Ids::default(),
            lent: BTreeMap::new(),
            in_use: 0,
            grouped_acks: Times::new(),
            set_acks: Times::new(),
        };
        Self { counts: Mutex::new(counts), turn: tokio::sync::Mutex::default() }
    }

    /// For who taps: the edge tells how many taps it has decided and not whose, so that nobody taps meanwhile.
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// A message is on its way.
    pub fn sent(&self, device: &str, boot: u32, kind: Kind) {
        let mut counts = self.lock();
        counts.sent += 1;
        if let Kind::Sample(seq) | Kind::Set(seq) = kind {
            counts.ledger.sent.add(device, boot, seq);
        }
    }

    /// A message was acked.
    pub fn acked(&self, device: &str, boot: u32, kind: Kind, after: Duration) {
        let mut counts = self.lock();
        counts.acked += 1;
        let acks = match kind {
            Kind::Sample(_) | Kind::Status => &mut counts.grouped_acks,
            Kind::Set(_) => &mut counts.set_acks,
        };
        acks.record(after);
        match kind {
            Kind::Sample(_) => counts.samples += 1,
            Kind::Set(_) => counts.sets += 1,
            Kind::Status => {}
        }
        if let Kind::Sample(seq) | Kind::Set(seq) = kind {
            counts.ledger.acked.add(device, boot, seq);
        }
        let is_surely_lent = counts.lent.get(device).is_some_and(|since| since.elapsed() > after);
        if let (Kind::Set(seq), true) = (kind, is_surely_lent) {
            counts.of_members.add(device, boot, seq);
        }
    }

    /// A member has a machine now.
    pub fn lent(&self, machine: &str) {
        let mut counts = self.lock();
        *counts.links.entry(machine.to_owned()).or_default() += 1;
        counts.lent.insert(machine.to_owned(), Instant::now());
    }

    /// A member is about to leave a machine.
    pub fn leaves(&self, machine: &str) {
        self.lock().lent.remove(machine);
    }

    /// Somebody tapped who may.
    pub fn let_in(&self) {
        self.expect("granted");
    }

    /// Somebody presented a code, and what the door ought to say.
    pub fn presented(&self, code: String, expected: &str) {
        self.lock().presented.push(code);
        self.expect(expected);
    }

    /// Somebody held a card or phone to the reader, and what the door ought to say.
    pub fn held(&self, expected: &str) {
        self.lock().held += 1;
        self.expect(expected);
    }

    fn expect(&self, answer: &str) {
        *self.lock().expected.entry(answer.to_owned()).or_default() += 1;
    }

    /// So many sets and samples were made at the board.
    pub fn trained(&self, messages: usize) {
        self.lock().of_board += messages;
    }

    /// A machine began or ended to be used.
    pub fn used(&self, begins: bool) {
        let mut counts = self.lock();
        counts.in_use = if begins { counts.in_use + 1 } else { counts.in_use.saturating_sub(1) };
    }

    /// A copy of everything.
    pub fn counts(&self) -> Counts {
        self.lock().clone()
    }

    /// Looks without copying.
    pub fn look<T>(&self, at: impl FnOnce(&Counts) -> T) -> T {
        at(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("nobody panics while counting")
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}
