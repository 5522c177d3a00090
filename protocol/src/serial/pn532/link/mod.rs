//! The host's side of the line to a PN532, as a value: what is said to the chip, and when.
//!
//! ```text
//!             no answer, nonsense                         nothing for 2 s
//!  Opened ────┬──────────────◄───────────── any command   ┌───────────────┐
//!             ▼                                           ▼               │
//!  wake-up, SAMConfiguration, version, retries ──►  list, blocking ───────┤ abort, look anew
//!                                                         │ cards         │
//!             ┌───────────────────────────────────────────┘               │
//!             ▼                                                           │
//!  identify each that is new ──► pause, look anew, list ──► as long as a card is there
//!                            └─► pause, is the phone still there? ──► as long as it is
//! ```
//!
//! Waiting for a card is left to the chip, which is the fastest and needs no processor time here. That such a chip
//! has died shows only when it is asked: every 2 s it is woken and configured anew, which also mends one that was
//! reset. A card is looked for anew with the field off in between, since cards answer only once per activation; a
//! phone would be another phone then, so it is asked whether it is still there. A card that comes while the chip does
//! not look waits: so nothing is said to a chip that looks and has just been asked.

use super::command::{Commands, answer};
use super::frame::{Frame, Framer};
use super::listing::Listed;
use crate::serial::tag::{Habits, Presence};
use plan::{Act, LOOK_ANEW};
use pn532::requests::Command;
use std::collections::VecDeque;
use std::mem;
use std::time::Duration;
use targets::Talk;

mod plan;
mod targets;
#[cfg(test)]
mod tests;
mod words;

pub use words::{Fault, Input, Notice, Output, Settings};

/// Between two attempts to reach a chip that does not answer.
const RETRY_EVERY: Duration = Duration::from_millis(250);
/// The chip's own name for what it is, in the answer to `GetFirmwareVersion`.
const PN532: u8 = 0x32;

/// The line to one chip.
#[derive(Debug, Default)]
pub struct Link {
    /// What is known of cards before they are asked.
    habits: Habits,
    commands: Commands,
    framer: Framer,
    plan: VecDeque<Act>,
    waiting: Option<Waiting>,
    health: Health,
    presence: Presence,
    /// Found in the field and not yet dealt with.
    listed: VecDeque<Listed>,
    /// When they were found.
    found_at: Duration,
    talk: Option<Talk>,
    /// A phone that the chip holds the line to.
    held: bool,
    /// When the chip was last asked to prove that it lives.
    asked_at: Duration,
    /// The last look has found something.
    occupied: bool,
    /// It has found one thing only.
    alone: bool,
    last_request: u32,
    outputs: Vec<Output>,
}

#[derive(Debug)]
struct Waiting {
    until: Duration,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Rest,
    Ack { command: Command, answer_within: Duration },
    Answer(Command),
    Nonce(u32),
}

#[derive(Debug, Default)]
enum Health {
    /// Not known yet.
    #[default]
    Unknown,
    Working,
    Faulty,
}

impl Link {
    /// A link to a chip; it begins with [`Input::Opened`].
    pub fn new(settings: Settings) -> Self {
        let habits = Habits { sun: settings.sun, message_length: None };
        Self { habits, ..Self::default() }
    }

    /// When the link wants an [`Input::Tick`].
    pub fn wake_at(&self) -> Option<Duration> {
        self.waiting.as_ref().map(|waiting| waiting.until)
    }

    /// Takes what happened and says what comes of it. `now` never goes back.
    pub fn handle(&mut self, input: Input<'_>, now: Duration) -> Vec<Output> {
        if self.wake_at().is_some_and(|due| due <= now) {
            self.time_is_up(now);
        }
        match input {
            Input::Tick => {}
            Input::Opened => {
                self.health = Health::Unknown;
                self.start_over(Duration::ZERO, now);
            }
            Input::Bytes(bytes) => {
                for byte in bytes {
                    if let Some(frame) = self.framer.push(*byte) {
                        self.receive(frame, now);
                    }
                }
            }
            Input::Nonce { request, nonce, site_no } => self.nonce(request, nonce, site_no, now),
        }
        mem::take(&mut self.outputs)
    }

    fn receive(&mut self, frame: Frame, now: Duration) {
        let Some(Waiting { what, .. }) = &self.waiting else { return };
        match (*what, frame) {
            (What::Ack { command, answer_within }, Frame::Ack) => {
                self.wait(What::Answer(command), answer_within, now);
            }
            (What::Ack { .. } | What::Answer(_), Frame::SyntaxError) => {
                self.fail(Fault::Refused, now);
            }
            (What::Answer(command), Frame::Body(body)) => {
                if let Some(data) = answer(command, &body) {
                    self.waiting = None;
                    self.answered(command, data, now);
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, command: Command, data: &[u8], now: Duration) {
        match command {
            Command::GetFirmwareVersion => match *data {
                [PN532, version, revision, ..] => self.works((version, revision)),
                [other, ..] => return self.fail(Fault::OtherChip(other), now),
                [] => return self.fail(Fault::Silent, now),
            },
            Command::InListPassiveTarget => return self.listed(data, now),
            Command::InDataExchange => return self.heard(data, now),
            Command::InCommunicateThru => self.phone_is_there(data, now),
            _ => {}
        }
        self.proceed(now);
    }

    fn works(&mut self, firmware: (u8, u8)) {
        if !matches!(self.health, Health::Working) {
            self.health = Health::Working;
            self.outputs.push(Output::Working { firmware });
        }
    }

    fn time_is_up(&mut self, now: Duration) {
        let Some(Waiting { what, .. }) = self.waiting.take() else { return };
        match what {
            What::Rest => self.proceed(now),
            What::Answer(Command::InListPassiveTarget) => self.nothing_found(now),
            What::Ack { .. } | What::Answer(_) => self.fail(Fault::Silent, now),
            What::Nonce(_) => {
                self.outputs.push(Output::Notice(Notice::NoNonce));
                self.talk = None;
                self.next_target(now);
            }
        }
    }

    /// Whatever is wrong with the chip: wake it and configure it.
    fn fail(&mut self, fault: Fault, now: Duration) {
        let first = !matches!(self.health, Health::Faulty);
        if first {
            self.outputs.push(Output::Faulty(fault));
        }
        self.health = Health::Faulty;
        self.start_over(if first { Duration::ZERO } else { RETRY_EVERY }, now);
    }

    fn start_over(&mut self, pause: Duration, now: Duration) {
        self.framer.clear();
        self.waiting = None;
        self.presence.look_failed();
        self.listed.clear();
        self.talk = None;
        self.held = false;
        self.occupied = false;
        self.plan = [Act::Rest(pause), Act::WakeUp, Act::Version, Act::Retries].into();
        self.plan.extend(LOOK_ANEW);
        self.proceed(now);
    }
}
