//! Questions: what is asked next, how long an answer may take, and when a question is given up.

use super::{Link, OrderEnd, Output, SILENT_AFTER};
use crate::machine::csafe::Reading;
use crate::serial::csafe::frame;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

/// A question is asked so often before it is given up.
const TRIES: u8 = 3;
/// A byte at 9600 baud, 8N1.
const BYTE_TIME: Duration = Duration::from_micros(1_042);

#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) question: Question,
    pub(super) tries: u8,
    /// When the answer is late; none while the question waits to be sent again.
    pub(super) due: Option<Duration>,
    /// A status came, without answers. It may have come unasked, so the rest is waited for.
    pub(super) has_status: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Question {
    Poll(Vec<u8>),
    Order(u8),
}

impl Link {
    pub(super) fn damaged(&mut self, now: Duration, outputs: &mut Vec<Output>) {
        // Between answers noise is normal.
        if self.pending.as_ref().is_some_and(|pending| pending.due.is_some()) {
            self.disturbance.damaged += 1;
            self.again(now, outputs);
        }
    }

    /// Asks once more, after a rest; or gives the question up.
    pub(super) fn again(&mut self, now: Duration, outputs: &mut Vec<Output>) {
        let Some(pending) = &mut self.pending else { return };
        self.send_after = self.send_after.max(now + self.quirks.gap());
        if pending.tries < TRIES {
            pending.due = None;
            return;
        }
        let is_order = matches!(pending.question, Question::Order(_));
        self.pending = None;
        if is_order {
            self.order = None;
            outputs.push(Output::OrderEnded(OrderEnd::NoAnswer));
            return;
        }
        self.round.give_up();
        self.reading = Reading::default();
        if !self.is_silent && now >= self.heard_at + SILENT_AFTER {
            self.is_silent = true;
            self.state = None;
            self.disturbance_told = Some(now);
            outputs.push(Output::Silent(mem::take(&mut self.disturbance)));
        }
    }

    pub(super) fn expire(&mut self, now: Duration, outputs: &mut Vec<Output>) {
        if self.order.as_ref().is_some_and(|order| order.until() <= now) {
            self.order = None;
            if matches!(&self.pending, Some(Pending { question: Question::Order(_), .. })) {
                self.pending = None;
            }
            outputs.push(Output::OrderEnded(OrderEnd::Expired));
        }
        let Some(pending) = &self.pending else { return };
        if pending.due.is_none_or(|due| due > now) {
            return;
        }
        if pending.has_status && matches!(pending.question, Question::Poll(_)) {
            // It has nothing to tell in this state.
            self.pending = None;
            self.go_on(now, outputs);
        } else {
            self.disturbance.late += 1;
            self.again(now, outputs);
        }
    }

    pub(super) fn ask(&mut self, now: Duration, outputs: &mut Vec<Output>) {
        if !self.is_open || now < self.send_after {
            return;
        }
        if self.pending.is_none() {
            let Some(question) = self.next_question(now) else { return };
            self.pending = Some(Pending { question, tries: 0, due: None, has_status: false });
        }
        let Some(pending) = self.pending.as_mut().filter(|pending| pending.due.is_none()) else {
            return;
        };
        let bytes = match &pending.question {
            Question::Poll(commands) => frame::encode(commands, self.quirks.addresses()),
            Question::Order(command) => frame::encode(&[*command], self.quirks.addresses()),
        };
        let on_the_line = BYTE_TIME * u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        pending.tries += 1;
        pending.has_status = false;
        pending.due = Some(now + on_the_line + self.quirks.patience());
        self.send_after = now + on_the_line + self.quirks.gap();
        outputs.push(Output::Write(bytes));
    }

    fn next_question(&mut self, now: Duration) -> Option<Question> {
        if let Some(order) = &self.order {
            return Some(Question::Order(order.command()));
        }
        if self.round.is_empty() {
            if now < self.next_round {
                return None;
            }
            self.round.plan(self.version.is_none());
            self.next_round = (self.next_round + self.quirks.poll()).max(now);
        }
        self.round.next().map(Question::Poll)
    }
}
