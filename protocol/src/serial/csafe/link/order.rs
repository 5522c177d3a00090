//! Starting a console anew: by a reset or, where that is refused, by ending the exercise.

use crate::serial::csafe::answer::{Answer, Previous, State};
use crate::serial::csafe::command::{GO_IDLE, RESET};
use core::time::Duration;

/// An order to start the console anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    /// From then on it must not be carried out any more.
    pub until: Duration,
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderEnd {
    /// The console is ready for the next user.
    Done,
    /// It does not allow that now.
    Refused,
    /// It did not answer, or the port is gone.
    NoAnswer,
    /// Its time was over.
    Expired,
}

/// An order that is being carried out.
#[derive(Debug, Clone)]
pub(super) struct Order {
    until: Duration,
    command: u8,
}

/// What an answer means to the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Perhaps it is the late answer to something else.
    Unclear,
    /// To be said again.
    Misheard,
    /// To be tried in another way.
    NextStep,
    Ended(OrderEnd),
}

impl Order {
    pub(super) fn new(Reset { until }: Reset) -> Self {
        Self { until, command: RESET }
    }

    pub(super) fn until(&self) -> Duration {
        self.until
    }

    pub(super) fn command(&self) -> u8 {
        self.command
    }

    pub(super) fn judge(&mut self, answer: &Answer<'_>) -> Verdict {
        if !answer.items.is_empty() {
            return Verdict::Unclear;
        }
        match (answer.status.previous, answer.status.state) {
            (Previous::Accepted, State::Ready | State::Idle) => Verdict::Ended(OrderEnd::Done),
            (Previous::Accepted, _) => Verdict::Unclear,
            (Previous::Bad | Previous::NotReady, _) => Verdict::Misheard,
            (Previous::Rejected, _) if self.command == RESET => {
                self.command = GO_IDLE;
                Verdict::NextStep
            }
            (Previous::Rejected, _) => Verdict::Ended(OrderEnd::Refused),
        }
    }
}
