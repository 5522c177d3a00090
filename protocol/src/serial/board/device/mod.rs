//! Reference core of the firmware, for a maker to port: a value that is told what happens and says what to write.
//!
//! `alloc` only, no clock, no interrupts: `now_ms` are milliseconds since the boot and never go back. What the board
//! measures is kept until the host has it on disk; a memory that is full is thinned as `buffer.rs` says: samples
//! first (to one in ten seconds, then the oldest), then travel, old statuses, and sets and results last.

mod buffer;
mod sender;
mod travel;

pub use travel::QUIET_AFTER_MS;

use super::{BoardOutcome, BoardState, FirmwareMessage, FrameReader};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use sender::Sender;
use travel::Gatherer;

/// Orders whose repeats are known. The host repeats an order until its result is there.
const KNOWN_ORDERS: usize = 16;

/// Who the board is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The machine's code in the branch, `[a-z0-9-]{1,64}`.
    pub code: String,
    /// Version of the firmware, at most 64 characters.
    pub firmware: String,
    /// Random, new at every boot: with it the agent tells a repeat from a new message.
    pub boot: u32,
}

/// How the board is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Unacked messages that are kept. A message takes about 100 bytes, and 480 at most.
    pub capacity: usize,
    /// Milliseconds between two positions of a strength machine, 5 to 500.
    pub travel_every_ms: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self { capacity: 256, travel_every_ms: 50 }
    }
}

/// What happens to the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// The host sent bytes.
    Bytes(&'a [u8]),
    /// Time has passed; due at [`Device::wake_at_ms`].
    Tick,
    /// Something was measured: field numbers and scaled values as in the table of sample fields.
    Measured(&'a [(u8, i32)]),
    /// The moving part is here, in millimetres. Call it every [`Settings::travel_every_ms`].
    Position {
        /// Millimetres from any fixed point.
        mm: i16,
        /// Load in hundredths of a kilogram, if the board can tell.
        weight_cg: Option<u32>,
    },
    /// The board itself has found a finished set.
    SetFinished(FinishedSet<'a>),
    /// The machine's state has changed.
    State {
        /// What it is doing.
        state: BoardState,
        /// What is wrong, in its own words.
        error: Option<&'a str>,
    },
    /// An order was carried out, or not.
    OrderEnded {
        /// Which order.
        id: [u8; 16],
        /// How it ended.
        outcome: BoardOutcome,
    },
}

/// A set that the board has counted itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FinishedSet<'a> {
    /// The board's name for the exercise.
    pub exercise: Option<&'a str>,
    /// Completed repetitions.
    pub reps: u16,
    /// Load in hundredths of a kilogram.
    pub weight_cg: Option<u32>,
    /// Duration in milliseconds.
    pub duration_ms: Option<u32>,
    /// Range of motion in millimetres.
    pub rom_mm: Option<u16>,
}

/// Something the hardware is to do. Every order must end in [`Input::OrderEnded`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Which one.
    pub id: [u8; 16],
    /// What to do, e.g. `lock`; `display` for a text. One that the board does not know ends as
    /// [`BoardOutcome::Unknown`].
    pub command: String,
    /// The text of `display`.
    pub text: Option<String>,
    /// Void from this time on: then it must not be begun, and ends as [`BoardOutcome::Expired`].
    pub until_ms: u64,
}

/// What comes of an input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reaction {
    /// To be written to the line, in order. What cannot be written may be thrown away: it comes again.
    pub bytes: Vec<u8>,
    /// To be carried out.
    pub orders: Vec<Order>,
}

/// One board, from its boot on.
#[derive(Debug)]
pub struct Device {
    identity: Identity,
    reader: FrameReader,
    sender: Sender,
    gatherer: Gatherer,
    state: Option<(BoardState, Option<String>)>,
    known_orders: VecDeque<[u8; 16]>,
}

impl Device {
    /// A board that has just booted.
    pub fn new(identity: Identity, settings: Settings) -> Self {
        Self {
            identity,
            reader: FrameReader::new(),
            sender: Sender::new(settings.capacity),
            gatherer: Gatherer::new(settings.travel_every_ms.clamp(5, 500)),
            state: None,
            known_orders: VecDeque::new(),
        }
    }

    /// Takes what happened and says what comes of it.
    pub fn handle(&mut self, input: Input<'_>, now_ms: u64) -> Reaction {
        let mut orders = Vec::new();
        match input {
            Input::Bytes(bytes) => {
                for message in self.reader.push(bytes) {
                    orders.extend(self.heard(message, now_ms));
                }
            }
            Input::Tick => {}
            Input::Measured(values) => {
                let values = values.to_vec();
                self.keep(now_ms, |seq, uptime_ms| FirmwareMessage::Sample {
                    seq,
                    uptime_ms,
                    values,
                });
            }
            Input::Position { mm, weight_cg } => self.moved(mm, weight_cg, now_ms),
            Input::SetFinished(set) => self.finished(set, now_ms),
            Input::State { state, error } => {
                self.state = Some((state, error.map(Into::into)));
                self.tell_state(now_ms);
            }
            Input::OrderEnded { id, outcome } => self.ended(id, outcome, now_ms),
        }
        Reaction { bytes: self.sender.write(&self.identity, now_ms), orders }
    }

    /// When the board wants an [`Input::Tick`], in milliseconds since the boot.
    pub fn wake_at_ms(&self) -> u64 {
        self.sender.wake_at_ms()
    }

    /// Messages that the host has not acked.
    pub fn unacked(&self) -> usize {
        self.sender.unacked()
    }

    /// Messages dropped since the boot because the memory was full.
    pub fn lost(&self) -> u64 {
        self.sender.lost()
    }

    fn keep(&mut self, now_ms: u64, message: impl FnOnce(u64, u64) -> FirmwareMessage) {
        self.sender.keep(now_ms, |seq| message(seq, now_ms));
    }

    fn heard(&mut self, message: FirmwareMessage, now_ms: u64) -> Option<Order> {
        match message {
            FirmwareMessage::Enquire => self.sender.enquired(),
            FirmwareMessage::Welcome { boot, session } if boot == self.identity.boot => {
                self.welcomed(session, now_ms);
            }
            FirmwareMessage::Held { seq } => self.sender.held(seq, now_ms),
            FirmwareMessage::Ack { seq } => self.sender.acked(seq),
            FirmwareMessage::Command { id, command, ttl_ms } => {
                return self
                    .ordered(Order { id, command, text: None, until_ms: ttl_ms.into() }, now_ms);
            }
            FirmwareMessage::Display { id, text, ttl_ms } => {
                let command = "display".into();
                let order = Order { id, command, text: Some(text), until_ms: ttl_ms.into() };
                return self.ordered(order, now_ms);
            }
            _ => {}
        }
        None
    }

    fn welcomed(&mut self, session: u32, now_ms: u64) {
        if self.sender.welcomed(session, now_ms) {
            self.tell_state(now_ms);
        }
    }

    /// An order, once. Its time to live becomes a time of this board.
    fn ordered(&mut self, order: Order, now_ms: u64) -> Option<Order> {
        if !self.sender.is_welcome() || self.known_orders.contains(&order.id) {
            return None;
        }
        if self.known_orders.len() == KNOWN_ORDERS {
            self.known_orders.pop_front();
        }
        self.known_orders.push_back(order.id);
        if order.until_ms == 0 {
            self.ended(order.id, BoardOutcome::Expired, now_ms);
            return None;
        }
        Some(Order { until_ms: now_ms.saturating_add(order.until_ms), ..order })
    }

    fn ended(&mut self, id: [u8; 16], outcome: BoardOutcome, now_ms: u64) {
        self.sender.keep(now_ms, |seq| FirmwareMessage::CommandResult { seq, id, outcome });
    }

    fn tell_state(&mut self, now_ms: u64) {
        let Some((state, error)) = self.state.clone() else { return };
        self.keep(now_ms, |seq, uptime_ms| FirmwareMessage::Status {
            seq,
            uptime_ms,
            state,
            error,
        });
    }

    fn moved(&mut self, mm: i16, weight_cg: Option<u32>, now_ms: u64) {
        let every_ms = self.gatherer.every_ms();
        for batch in self.gatherer.take(mm, weight_cg, now_ms) {
            let travel::Batch { uptime_ms, position_mm, weight_cg } = batch;
            self.sender.keep(now_ms, |seq| FirmwareMessage::Travel {
                seq,
                uptime_ms,
                every_ms,
                position_mm,
                weight_cg,
            });
        }
    }

    fn finished(&mut self, set: FinishedSet<'_>, now_ms: u64) {
        let FinishedSet { exercise, reps, weight_cg, duration_ms, rom_mm } = set;
        let exercise = exercise.map(Into::into);
        self.keep(now_ms, |seq, uptime_ms| FirmwareMessage::Set {
            seq,
            uptime_ms,
            exercise,
            reps,
            weight_cg,
            duration_ms,
            rom_mm,
        });
    }
}

#[cfg(test)]
mod tests;
