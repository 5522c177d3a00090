//! The conversation with one console as a value: asks it once a second, matches answers by command, and says what came of
//! it. It never changes what the console does unless it is ordered to.
//!
//! Time is a `Duration` since any origin, never going back. Bytes must come in order; how they are cut does not matter.

mod asking;
mod order;
mod round;
mod words;

use super::answer::{self, Answer, Previous, State, Version};
use super::command::{GET_STATUS, GET_VERSION};
use super::frame::FrameReader;
use super::quirks::Quirks;
use crate::machine::Fields;
use crate::machine::csafe::{Reading, Trouble};
use alloc::vec::Vec;
use asking::{Pending, Question};
use core::mem;
use core::time::Duration;
use order::{Order, Verdict};
pub use order::{OrderEnd, Reset};
use round::Round;
pub use words::{Disturbance, Input, Output};

/// A console that said nothing right for so long is silent.
pub const SILENT_AFTER: Duration = Duration::from_secs(3);

/// A disturbed line is told again only after so long; until then disturbances are added up.
const TELL_AGAIN_AFTER: Duration = Duration::from_mins(1);
/// What cannot be used is told once; so many different things at most.
const MAX_TOLD: usize = 32;

/// The line to one console.
#[derive(Debug, Clone)]
pub struct Link {
    quirks: Quirks,
    reader: FrameReader,
    is_open: bool,
    pending: Option<Pending>,
    order: Option<Order>,
    round: Round,
    next_round: Duration,
    /// Nothing is sent before: consoles need a rest between frames.
    send_after: Duration,
    reading: Reading,
    state: Option<State>,
    version: Option<Version>,
    heard_at: Duration,
    is_silent: bool,
    disturbance: Disturbance,
    disturbance_told: Option<Duration>,
    told_fields: Option<Fields>,
    told_troubles: Vec<Trouble>,
}

impl Link {
    /// A link to a console with these quirks.
    pub fn new(quirks: Quirks) -> Self {
        let round = Round::new(&quirks);
        Self {
            quirks,
            reader: FrameReader::default(),
            is_open: false,
            pending: None,
            order: None,
            round,
            next_round: Duration::ZERO,
            send_after: Duration::ZERO,
            reading: Reading::default(),
            state: None,
            version: None,
            heard_at: Duration::ZERO,
            is_silent: false,
            disturbance: Disturbance::default(),
            disturbance_told: None,
            told_fields: None,
            told_troubles: Vec::new(),
        }
    }

    /// When the link wants an [`Input::Tick`].
    pub fn wake_at(&self) -> Option<Duration> {
        if !self.is_open {
            return None;
        }
        let next = match &self.pending {
            Some(pending) => pending.due.unwrap_or(self.send_after),
            None if self.order.is_some() || !self.round.is_empty() => self.send_after,
            None => self.next_round.max(self.send_after),
        };
        Some(self.order.as_ref().map_or(next, |order| next.min(order.until())))
    }

    /// Takes what happened and says what comes of it.
    pub fn handle(&mut self, input: Input<'_>, now: Duration) -> Vec<Output> {
        let mut outputs = Vec::new();
        match input {
            Input::Opened => self.open(now),
            Input::Closed => self.close(&mut outputs),
            Input::Bytes(bytes) if self.is_open => {
                for byte in bytes {
                    self.hear(*byte, now, &mut outputs);
                }
            }
            Input::Reset(reset) => self.obey(reset, &mut outputs),
            Input::Bytes(_) | Input::Tick => {}
        }
        self.expire(now, &mut outputs);
        self.ask(now, &mut outputs);
        outputs
    }

    fn open(&mut self, now: Duration) {
        self.reader.reset();
        self.is_open = true;
        self.is_silent = false;
        self.heard_at = now;
        self.pending = None;
        self.state = None;
        self.reading = Reading::default();
        self.round.begin_anew();
        self.next_round = now;
        self.send_after = now + self.quirks.gap();
    }

    fn close(&mut self, outputs: &mut Vec<Output>) {
        self.is_open = false;
        self.pending = None;
        if self.order.take().is_some() {
            outputs.push(Output::OrderEnded(OrderEnd::NoAnswer));
        }
    }

    fn obey(&mut self, reset: Reset, outputs: &mut Vec<Output>) {
        if self.is_open && self.order.is_none() {
            self.order = Some(Order::new(reset));
        } else {
            outputs.push(Output::OrderEnded(OrderEnd::NoAnswer));
        }
    }

    /// Byte by byte, so that damage and frames count in the order in which they came.
    fn hear(&mut self, byte: u8, now: Duration, outputs: &mut Vec<Output>) {
        let damaged = self.reader.damaged();
        for frame in self.reader.push(&[byte]) {
            self.take(&frame.contents, now, outputs);
        }
        if self.reader.damaged() > damaged {
            self.damaged(now, outputs);
        }
    }

    fn take(&mut self, contents: &[u8], now: Duration, outputs: &mut Vec<Output>) {
        let answer = match answer::parse(contents) {
            Ok(answer) if is_plausible(&answer) => answer,
            _ => return self.damaged(now, outputs),
        };
        self.heard_at = now;
        self.send_after = self.send_after.max(now + self.quirks.gap());
        if mem::take(&mut self.is_silent) {
            outputs.push(Output::Back);
        }
        if self.state.replace(answer.status.state) != Some(answer.status.state) {
            outputs.push(Output::State(answer.status.state));
            // What a console refuses while idle it may tell in an exercise.
            self.round.forget_refusals();
        }
        match self.pending.as_ref().map(|pending| pending.question.clone()) {
            None => {}
            Some(Question::Order(_)) => self.order_answered(&answer, now, outputs),
            Some(Question::Poll(asked)) => self.poll_answered(&asked, &answer, now, outputs),
        }
    }

    fn poll_answered(
        &mut self,
        asked: &[u8],
        answer: &Answer<'_>,
        now: Duration,
        outputs: &mut Vec<Output>,
    ) {
        let is_answer = answer.items.iter().any(|item| asked.contains(&item.command));
        match answer.status.previous {
            _ if is_answer => self.gather(answer, outputs),
            Previous::Accepted if asked == [GET_STATUS] => {}
            Previous::Accepted => return self.has_status(),
            Previous::Rejected => self.round.refused(asked),
            Previous::Bad | Previous::NotReady => {
                self.disturbance.misheard += 1;
                return self.again(now, outputs);
            }
        }
        self.pending = None;
        self.go_on(now, outputs);
    }

    fn has_status(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.has_status = true;
        }
    }

    fn gather(&mut self, answer: &Answer<'_>, outputs: &mut Vec<Output>) {
        let version = answer.items.iter().find(|item| item.command == GET_VERSION);
        if let Some(version) = version.and_then(|item| Version::of_data(item.data))
            && self.version.replace(version) != Some(version)
        {
            outputs.push(Output::Version(version));
        }
        self.reading.add(&answer.items, self.quirks.dialect());
    }

    fn order_answered(&mut self, answer: &Answer<'_>, now: Duration, outputs: &mut Vec<Output>) {
        let Some(order) = &mut self.order else { return };
        let end = match order.judge(answer) {
            Verdict::Unclear => return self.has_status(),
            Verdict::Misheard => {
                self.disturbance.misheard += 1;
                return self.again(now, outputs);
            }
            Verdict::NextStep => None,
            Verdict::Ended(end) => Some(end),
        };
        self.pending = None;
        if let Some(end) = end {
            self.order = None;
            outputs.push(Output::OrderEnded(end));
        }
    }

    /// The last question is done with. After the last of a round it is told what was learned.
    fn go_on(&mut self, now: Duration, outputs: &mut Vec<Output>) {
        if !self.round.is_empty() {
            return;
        }
        self.round.finished();
        let Reading { fields, troubles } = mem::take(&mut self.reading);
        for trouble in troubles {
            if self.told_troubles.len() < MAX_TOLD && !self.told_troubles.contains(&trouble) {
                self.told_troubles.push(trouble);
                outputs.push(Output::Unusable(trouble));
            }
        }
        let is_due = self.disturbance_told.is_none_or(|told| now >= told + TELL_AGAIN_AFTER);
        if is_due && self.disturbance != Disturbance::default() {
            self.disturbance_told = Some(now);
            outputs.push(Output::Disturbed(mem::take(&mut self.disturbance)));
        }
        let is_exercise = matches!(self.state, Some(State::InUse | State::Manual));
        if !fields.is_empty() && (is_exercise || self.told_fields != Some(fields)) {
            self.told_fields = Some(fields);
            outputs.push(Output::Sample(fields));
        }
    }
}

/// A damaged answer whose checksum fits by chance has answers to questions that nobody asked.
fn is_plausible(answer: &Answer<'_>) -> bool {
    answer.items.iter().all(|item| item.command >= 0x80)
}

#[cfg(test)]
mod tests;
