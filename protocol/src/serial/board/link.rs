//! The host's side of the line to one board: who is there, every message once and in order, acks when told so.
//!
//! Time is a `Duration` since any origin, never going back. A message is *accepted* once; it is acked only after
//! [`Input::Settled`]. Whatever gets lost on the line comes again from the board.

use super::orders::Orders;
pub use super::orders::{Order, Unanswered};
use super::{FirmwareMessage, FrameReader, encode};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

mod state;
mod words;

use state::{Phase, Session};
pub use words::{Input, Output};

/// Between two questions to a line on which nobody has answered yet.
const ENQUIRE_EVERY: Duration = Duration::from_secs(1);
/// After so many questions without an answer the line counts as silent.
const ENQUIRIES: u32 = 3;
/// Between two welcomes, until the board says which number comes next.
const WELCOME_EVERY: Duration = Duration::from_millis(500);
/// A board gives a sign of life every ten seconds.
const SILENT_AFTER: Duration = Duration::from_secs(35);

/// Nothing is due.
const A_LONG_TIME: Duration = Duration::from_hours(1);

/// The line to one board.
#[derive(Debug)]
pub struct Link {
    code: String,
    /// Tells answers to this host from those to a former one.
    session_id: u32,
    reader: FrameReader,
    phase: Phase,
    session: Option<Session>,
    orders: Orders,
    heard_at: Duration,
    is_full: bool,
    /// Whether the board should be told how far its messages got.
    is_progress_due: bool,
}

impl Link {
    /// A link to the board of the machine with this code. `session_id` is random.
    pub fn new(code: &str, session_id: u32) -> Self {
        Self {
            code: code.into(),
            session_id,
            reader: FrameReader::new(),
            phase: Phase::Closed { at: SILENT_AFTER, is_told: false },
            session: None,
            orders: Orders::default(),
            heard_at: Duration::ZERO,
            is_full: false,
            is_progress_due: false,
        }
    }

    /// While it is full no message is accepted; the board sends them again.
    pub fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
    }

    /// Frames that were no messages, since the port was opened.
    pub fn bad_frames(&self) -> u64 {
        self.reader.bad_frames()
    }

    /// When the link wants an [`Input::Tick`].
    pub fn wake_at(&self) -> Duration {
        let own = match self.phase {
            Phase::Closed { at, .. }
            | Phase::Asking { at, .. }
            | Phase::Foreign { at, .. }
            | Phase::Greeted { at } => at,
            Phase::Talking => self.heard_at + SILENT_AFTER,
        };
        self.orders.wake_at(self.is_talking()).map_or(own, |at| at.min(own))
    }

    /// Takes what happened and says what comes of it.
    pub fn handle(&mut self, input: Input<'_>, now: Duration) -> Vec<Output> {
        let mut outputs = Vec::new();
        let mut answers = Vec::new();
        match input {
            Input::Bytes(bytes) => {
                for message in self.reader.push(bytes) {
                    self.heard_at = now;
                    self.heard(message, now, &mut answers, &mut outputs);
                }
            }
            Input::Tick => {}
            Input::Reopened => {
                self.reader = FrameReader::new();
                self.phase = Phase::Asking { at: now, times: 0 };
            }
            Input::Closed => self.phase = Phase::Closed { at: now + SILENT_AFTER, is_told: false },
            Input::Settled { boot, seq } => answers.extend(self.settled(boot, seq)),
            Input::Order { order, ttl } => self.orders.give(order, now + ttl, now, &mut outputs),
        }
        self.pass_time(now, &mut answers, &mut outputs);
        answers.extend(self.progress());
        let is_talking = self.is_talking();
        answers.extend(self.orders.due(is_talking, now, &mut outputs));
        if !answers.is_empty() {
            // The delimiter in front ends what was torn before.
            let mut bytes = alloc::vec![0];
            bytes.extend(answers.iter().filter_map(|message| encode(message).ok()).flatten());
            outputs.push(Output::Write(bytes));
        }
        outputs
    }

    fn is_talking(&self) -> bool {
        self.phase == Phase::Talking
    }

    fn settled(&mut self, boot: u32, seq: u64) -> Option<FirmwareMessage> {
        let session = self.session.as_mut().filter(|session| session.boot == boot)?;
        let was_unsettled = session.unsettled.remove(&seq);
        (was_unsettled && self.is_talking()).then_some(FirmwareMessage::Ack { seq })
    }

    /// How far the messages of the board have arrived, after some have.
    fn progress(&mut self) -> Option<FirmwareMessage> {
        if !core::mem::take(&mut self.is_progress_due) {
            return None;
        }
        let next = self.session.as_ref()?.next?;
        Some(FirmwareMessage::Held { seq: next.checked_sub(1)? })
    }

    fn pass_time(
        &mut self,
        now: Duration,
        answers: &mut Vec<FirmwareMessage>,
        outputs: &mut Vec<Output>,
    ) {
        match &mut self.phase {
            Phase::Closed { at, is_told } if *at <= now => {
                *at = now + A_LONG_TIME;
                if !core::mem::replace(is_told, true) {
                    outputs.push(Output::Silent);
                }
            }
            Phase::Asking { at, times } if *at <= now => {
                *at = now + ENQUIRE_EVERY;
                *times = times.saturating_add(1);
                answers.push(FirmwareMessage::Enquire);
                if *times == ENQUIRIES + 1 {
                    outputs.push(Output::Silent);
                }
            }
            Phase::Foreign { at, .. } if *at <= now => {
                *at = now + SILENT_AFTER;
                answers.push(FirmwareMessage::Enquire);
            }
            Phase::Greeted { .. } | Phase::Talking if self.heard_at + SILENT_AFTER <= now => {
                outputs.push(Output::Silent);
                self.phase = Phase::Asking { at: now + ENQUIRE_EVERY, times: ENQUIRIES + 1 };
                answers.push(FirmwareMessage::Enquire);
            }
            Phase::Greeted { at } if *at <= now => {
                *at = now + WELCOME_EVERY;
                let session = self.session_id;
                let welcome =
                    |known: &Session| FirmwareMessage::Welcome { boot: known.boot, session };
                answers.extend(self.session.as_ref().map(welcome));
            }
            _ => {}
        }
    }

    fn heard(
        &mut self,
        message: FirmwareMessage,
        now: Duration,
        answers: &mut Vec<FirmwareMessage>,
        outputs: &mut Vec<Output>,
    ) {
        match message {
            FirmwareMessage::Hello { code, firmware, boot } if code == self.code => {
                self.greeted(firmware, boot, now, outputs);
            }
            FirmwareMessage::Hello { code, .. } => self.refuse(code, now, outputs),
            FirmwareMessage::Resume { session, since, seq, lost } => {
                if session == self.session_id {
                    self.resumed(since, seq, lost, outputs);
                }
            }
            message => {
                if let Some(seq) = message.seq() {
                    self.numbered(seq, message, answers, outputs);
                }
            }
        }
    }

    /// The welcome itself is sent by [`Self::pass_time`], now and until the board has heard it.
    fn greeted(&mut self, firmware: String, boot: u32, now: Duration, outputs: &mut Vec<Output>) {
        let is_new_boot = self.session.as_ref().is_none_or(|session| session.boot != boot);
        if is_new_boot {
            self.orders.restarted(outputs);
            let unsettled = BTreeSet::new();
            self.session = Some(Session { boot, next: None, unsettled, lost: 0 });
        }
        if is_new_boot || !matches!(self.phase, Phase::Greeted { .. } | Phase::Talking) {
            outputs.push(Output::Found { firmware, boot, is_new_boot });
        }
        self.phase = Phase::Greeted { at: now };
    }

    fn refuse(&mut self, code: String, now: Duration, outputs: &mut Vec<Output>) {
        if !matches!(&self.phase, Phase::Foreign { code: known, .. } if *known == code) {
            outputs.push(Output::Foreign { code: code.clone() });
        }
        self.phase = Phase::Foreign { at: now + SILENT_AFTER, code };
    }

    fn resumed(&mut self, since: u64, seq: u64, lost: u64, outputs: &mut Vec<Output>) {
        let (Phase::Greeted { .. } | Phase::Talking, Some(session)) =
            (&self.phase, &mut self.session)
        else {
            return;
        };
        session.next = match session.next {
            // A message in front of the gap is missing here: the board sends both again.
            Some(next) if next < since => Some(next),
            Some(next) => Some(next.max(seq)),
            None if since == 0 => Some(seq),
            None => return,
        };
        self.phase = Phase::Talking;
        if lost > session.lost {
            session.lost = lost;
            outputs.push(Output::Lost { total: lost });
        }
    }

    fn numbered(
        &mut self,
        seq: u64,
        message: FirmwareMessage,
        answers: &mut Vec<FirmwareMessage>,
        outputs: &mut Vec<Output>,
    ) {
        let Some(session) = &mut self.session else { return };
        let (Phase::Greeted { .. } | Phase::Talking, Some(next)) = (&self.phase, session.next)
        else {
            return;
        };
        if seq < next {
            self.is_progress_due = true;
            if !session.unsettled.contains(&seq) {
                answers.push(FirmwareMessage::Ack { seq });
            }
        } else if seq == next && !self.is_full && next < u64::MAX {
            self.is_progress_due = true;
            session.next = Some(next + 1);
            session.unsettled.insert(seq);
            if let FirmwareMessage::CommandResult { id, .. } = message {
                self.orders.answered(id);
            }
            outputs.push(Output::Message { boot: session.boot, message });
        }
    }
}

#[cfg(test)]
mod tests;
