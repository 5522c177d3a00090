//! The host's side of the line to a PN532, as a value: what is said to the chip, and when.
//!
//! ```text
//!             no answer, nonsense                         nothing for 2 s
//!  Opened ────┬──────────────◄───────────── any command   ┌───────────────┐
//!             ▼                                           ▼               │
//!  wake-up, SAMConfiguration, (version), retries ──► list, blocking ──────┤ abort
//!                                                         │ cards         │
//!             ┌───────────────────────────────────────────┘               │
//!             ▼                                                           │
//!  identify each that is new ──► pause, field off and on, list ──► as long as a card is there
//!                            └─► pause, is the phone still there? ──► as long as it is
//! ```
//!
//! Waiting for a card is left to the chip, which is the fastest and needs no processor time here. That such a chip
//! has died shows only when it is asked: every 2 s it is woken and configured anew, which also mends one that was
//! reset. A card is looked for anew with the field off in between, since cards answer only once per activation; a
//! phone would be another phone then, so it is asked whether it is still there.

use super::command::{ABORT, Commands, WAKE_UP, answer};
use super::frame::{Frame, Framer};
use super::listing::Listed;
use crate::credential::Credential;
use crate::serial::tag::ndef::Record;
use crate::serial::tag::{Presence, SunNames};
use pn532::requests::Command;
use std::collections::VecDeque;
use std::mem;
use std::time::Duration;
use targets::Talk;

mod targets;

/// The chip acks within 15 ms; a USB adapter may hold bytes back for 16 ms more.
const ACK_WITHIN: Duration = Duration::from_millis(100);
/// Longest for a command that has nothing to do with cards.
const ANSWER_WITHIN: Duration = Duration::from_millis(200);
/// So long may the chip wait for a card without proving that it lives.
const IDLE_FOR: Duration = Duration::from_secs(2);
/// So long may it take to find a card that was there just now.
const FIND_WITHIN: Duration = Duration::from_millis(150);
/// Between two looks at what lies on the reader.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Without a field for so long every card starts anew.
const FIELD_OFF: Duration = Duration::from_millis(10);
/// Between two attempts to reach a chip that does not answer.
const RETRY_EVERY: Duration = Duration::from_millis(250);
/// The chip's own name for what it is, in the answer to `GetFirmwareVersion`.
const PN532: u8 = 0x32;

/// How the reader is set up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Names in the addresses of NTAG 424 DNA cards.
    pub sun: SunNames,
}

/// What happens to the link.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// The port was opened, for the first time or anew.
    Opened,
    /// The chip sent bytes.
    Bytes(&'a [u8]),
    /// The agent has answered the question `request` with a nonce.
    Nonce {
        /// Number of the question.
        request: u32,
        /// 16 random bytes.
        nonce: [u8; 16],
        /// Number of the branch, which the phone signs too.
        site_no: u16,
    },
    /// Time has passed; due at [`Link::wake_at`].
    Tick,
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// To be sent to the chip.
    Write(Vec<u8>),
    /// Something was presented.
    Presented {
        /// What it is.
        credential: Credential,
        /// When the chip reported it.
        at: Duration,
    },
    /// The agent is to be asked for a nonce; wanted within 1.5 s.
    AskNonce {
        /// Number of the question.
        request: u32,
    },
    /// The reader does not work; said once, until [`Output::Working`].
    Faulty(Fault),
    /// The reader works, for the first time or again.
    Working {
        /// Version and revision of the chip's firmware.
        firmware: (u8, u8),
    },
    /// Something that is no presentation.
    Notice(Notice),
}

/// Why the reader does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No answer, or none that can be understood.
    #[error("the chip does not answer")]
    Silent,
    /// It does not know a command that every PN532 knows.
    #[error("the chip does not understand a command")]
    Refused,
    /// Another chip.
    #[error("the chip is no PN532: it calls itself {0:#04X}")]
    OtherChip(u8),
}

/// What may help whoever wonders why nothing happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A phone that wants to be unlocked.
    PhoneLocked,
    /// A phone without our application, or a card with a number that changes.
    Nobody,
    /// It went away too soon, or answered nonsense.
    Unreadable,
    /// The agent gave no nonce in time.
    NoNonce,
    /// The first record on an NTAG 21x that was presented.
    Carries(Record),
    /// So many of what was presented have left.
    Left(usize),
}

/// The line to one chip.
#[derive(Debug, Default)]
pub struct Link {
    settings: Settings,
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
    /// The last look has found something.
    occupied: bool,
    /// It has found one thing only.
    alone: bool,
    last_request: u32,
    outputs: Vec<Output>,
}

/// One thing that is done with the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Rest(Duration),
    WakeUp,
    Version,
    Retries,
    FieldOff,
    FieldOn,
    List { within: Duration },
    IsPhoneThere,
}

/// Before the next look. A chip that was reset since finds nothing, which must not pass for absence: it is configured
/// first. A card that was selected, though its listing was lost on the line, answers again after the field was off.
const LOOK_ANEW: [Act; 5] =
    [Act::WakeUp, Act::Retries, Act::FieldOff, Act::Rest(FIELD_OFF), Act::FieldOn];

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
        Self { settings, ..Self::default() }
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
            Command::InCommunicateThru => self.phone_is_there(data),
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
            What::Answer(Command::InListPassiveTarget) => {
                self.outputs.push(Output::Write(ABORT.to_vec()));
                if !self.is_occupied() {
                    self.plan.extend(LOOK_ANEW);
                }
                self.seen(Vec::new(), now);
            }
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
        self.plan = [Act::Rest(pause), Act::WakeUp, Act::Version].into();
        self.plan.extend(LOOK_ANEW);
        self.proceed(now);
    }

    /// Does the next of what is planned, or plans what comes next.
    fn proceed(&mut self, now: Duration) {
        if self.waiting.is_some() {
            return;
        }
        if self.plan.is_empty() {
            self.plan_next_look();
        }
        let Some(act) = self.plan.pop_front() else { return };
        match act {
            Act::Rest(pause) if pause.is_zero() => self.proceed(now),
            Act::Rest(pause) => self.wait(What::Rest, pause, now),
            Act::WakeUp => {
                let mut line = ABORT.to_vec();
                line.extend_from_slice(&WAKE_UP);
                self.outputs.push(Output::Write(line));
                self.command(Command::SAMConfiguration, &[0x01, 0x00, 0x00], ANSWER_WITHIN, now);
            }
            Act::Version => self.command(Command::GetFirmwareVersion, &[], ANSWER_WITHIN, now),
            // Look for ever for a card, answer at once for the rest.
            Act::Retries => {
                self.command(
                    Command::RFConfiguration,
                    &[0x05, 0xFF, 0x01, 0xFF],
                    ANSWER_WITHIN,
                    now,
                );
            }
            Act::FieldOff => self.field(0x00, now),
            Act::FieldOn => self.field(0x01, now),
            Act::List { within } => {
                self.command(Command::InListPassiveTarget, &[0x02, 0x00], within, now);
            }
            // A request to repeat the last block: any answer will do.
            Act::IsPhoneThere => {
                self.command(Command::InCommunicateThru, &[0xB2], ANSWER_WITHIN, now);
            }
        }
    }

    fn plan_next_look(&mut self) {
        if self.held {
            self.plan.extend([Act::Rest(LOOK_EVERY), Act::IsPhoneThere]);
        } else if self.is_occupied() {
            self.plan.push_back(Act::Rest(LOOK_EVERY));
            self.plan.extend(LOOK_ANEW);
            self.plan.push_back(Act::List { within: FIND_WITHIN });
        } else {
            self.plan.push_back(Act::List { within: IDLE_FOR });
        }
    }

    /// Whether something is there, or was there just now.
    fn is_occupied(&self) -> bool {
        self.occupied || !self.presence.is_empty()
    }

    fn field(&mut self, on: u8, now: Duration) {
        self.command(Command::RFConfiguration, &[0x01, on], ANSWER_WITHIN, now);
    }

    fn command(&mut self, command: Command, data: &[u8], answer_within: Duration, now: Duration) {
        self.framer.clear();
        match self.commands.frame(command, data) {
            Some(frame) => {
                self.outputs.push(Output::Write(frame));
                self.wait(What::Ack { command, answer_within }, ACK_WITHIN, now);
            }
            None => self.fail(Fault::Refused, now),
        }
    }

    fn wait(&mut self, what: What, time: Duration, now: Duration) {
        self.waiting = Some(Waiting { until: now.saturating_add(time), what });
    }
}
