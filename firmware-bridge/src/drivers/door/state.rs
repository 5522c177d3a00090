//! The whole behaviour of a door. Pure: decisions and orders with their ages come in, what the relay does goes out.
//!
//! ```text
//!            granted, open                 hold_open
//!  Closed ──────────────────► Open ──────────────────► Held
//!    ▲  ◄── time is over, lock ──┘ ◄── time is over, lock ─┘
//!    └──── time is over, open, hold_open ──── Locked ◄── lock with a time
//! ```
//! Fail-secure: what is late, unasked for or repeated changes nothing, and without a working relay nothing is open.

use protocol::ids::{CommandId, TapId};
use std::collections::VecDeque;
use std::time::Duration;

/// A tap that was presented longer ago decides nothing.
pub const MAX_TAP_AGE: Duration = Duration::from_secs(5);

/// Taps whose decision came; only the last five seconds count.
const REMEMBERED_TAPS: usize = 64;

/// How long a door may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Unless the decision or order says otherwise.
    pub open: Duration,
    /// At most, for one presentation or one `open`.
    pub max_open: Duration,
    /// `hold_open`, unless it says otherwise.
    pub hold: Duration,
    /// `hold_open` and a locked door, at most.
    pub max_hold: Duration,
}

/// The agent's answer to a tap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Which tap.
    pub tap: TapId,
    /// Whether they may enter.
    pub is_granted: bool,
    /// How long to open.
    pub open_for: Option<Duration>,
    /// How old the decision is, at most.
    pub age: Duration,
    /// How old it may be.
    pub valid: Duration,
    /// How long ago this bridge presented the tap; `None`: it did not.
    pub presented_ago: Option<Duration>,
}

/// A command for the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Which command.
    pub id: CommandId,
    /// What to do.
    pub what: What,
    /// For how long, if it says so.
    pub time: Option<Duration>,
    /// How old the command is, at most.
    pub age: Duration,
    /// How old it may be.
    pub ttl: Duration,
}

/// What a command wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Opens once.
    Open,
    /// Opens for a while.
    HoldOpen,
    /// Ends any opening. With a time no card opens until then.
    Lock,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The agent answered a tap.
    Decision(Decision),
    /// Staff or an app want something.
    Order(Order),
    /// The relay can be switched, and is off.
    RelayReady,
    /// The relay cannot be switched; without power on its input it is off.
    RelayLost,
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Switch the relay on until then, unless it is later than `not_after` by now; or off. Then answer.
    Relay {
        /// When it goes off again; `None`: now.
        until: Option<Duration>,
        /// What it follows from is void after this.
        not_after: Duration,
        /// The command to answer by whether that worked.
        answers: Option<CommandId>,
    },
    /// A command ended without the relay.
    Answer(CommandId, Refusal),
    /// Show it at the reader.
    Show(Signal),
}

/// Why a command was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its time is over.
    Expired,
    /// There is no relay to switch.
    NoRelay,
}

/// What lamps and buzzer tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Come in.
    Granted,
    /// No.
    Denied,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Duration },
    Held { until: Duration },
    Locked { until: Duration },
}

/// A door.
#[derive(Debug)]
pub struct Door {
    limits: Limits,
    state: State,
    has_relay: bool,
    spent: VecDeque<TapId>,
}

impl Door {
    /// A closed door whose relay was not reached yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: State::Closed, has_relay: false, spent: VecDeque::new() }
    }

    /// When it wants a [`Input::Tick`].
    pub fn wake_at(&self) -> Option<Duration> {
        match self.state {
            State::Closed => None,
            State::Open { until } | State::Held { until } | State::Locked { until } => Some(until),
        }
    }

    /// Takes something in; `now` is the time since any origin and never runs backwards.
    pub fn handle(&mut self, input: Input, now: Duration) -> Vec<Output> {
        if self.wake_at().is_some_and(|until| until <= now) {
            // The relay has its own timer and is off already.
            self.state = State::Closed;
        }
        match input {
            Input::Decision(decision) => self.decide(decision, now),
            Input::Order(order) => self.order(order, now),
            Input::RelayReady => {
                self.has_relay = true;
                Vec::new()
            }
            Input::RelayLost => {
                self.has_relay = false;
                if !matches!(self.state, State::Locked { .. }) {
                    self.state = State::Closed;
                }
                Vec::new()
            }
            Input::Tick => Vec::new(),
        }
    }

    fn decide(&mut self, decision: Decision, now: Duration) -> Vec<Output> {
        let Decision { tap, is_granted, open_for, age, valid, presented_ago } = decision;
        let left = valid.checked_sub(age);
        let left_of_tap = presented_ago.and_then(|ago| MAX_TAP_AGE.checked_sub(ago));
        let (Some(left), Some(left_of_tap)) = (left, left_of_tap) else { return Vec::new() };
        if self.spent.contains(&tap) {
            return Vec::new();
        }
        self.spend(tap);
        let is_locked = matches!(self.state, State::Locked { .. });
        if !is_granted || is_locked || !self.has_relay {
            return vec![Output::Show(Signal::Denied)];
        }
        let until = now + open_for.unwrap_or(self.limits.open).min(self.limits.max_open);
        let not_after = now + left.min(left_of_tap);
        vec![self.open(until, not_after, None), Output::Show(Signal::Granted)]
    }

    fn order(&mut self, order: Order, now: Duration) -> Vec<Output> {
        let Order { id, what, time, age, ttl } = order;
        let Some(left) = ttl.checked_sub(age) else {
            return vec![Output::Answer(id, Refusal::Expired)];
        };
        let not_after = now.saturating_add(left);
        let max_hold = self.limits.max_hold;
        match what {
            What::Lock => {
                self.state = match time.unwrap_or_default().min(max_hold) {
                    Duration::ZERO => State::Closed,
                    time => State::Locked { until: now + time },
                };
                // Without a relay nothing is open, and the door counts as locked all the same.
                if self.has_relay {
                    vec![Output::Relay { until: None, not_after, answers: Some(id) }]
                } else {
                    vec![Output::Answer(id, Refusal::NoRelay)]
                }
            }
            _ if !self.has_relay => vec![Output::Answer(id, Refusal::NoRelay)],
            What::Open => {
                let until = now + time.unwrap_or(self.limits.open).min(self.limits.max_open);
                vec![self.open(until, not_after, Some(id)), Output::Show(Signal::Granted)]
            }
            What::HoldOpen => {
                let until = now + time.unwrap_or(self.limits.hold).min(max_hold);
                self.state = State::Held { until };
                vec![Output::Relay { until: Some(until), not_after, answers: Some(id) }]
            }
        }
    }

    /// What is open longer anyway stays so.
    fn open(&mut self, until: Duration, not_after: Duration, answers: Option<CommandId>) -> Output {
        let until = match &mut self.state {
            State::Open { until: known } | State::Held { until: known } => {
                *known = until.max(*known);
                *known
            }
            State::Closed | State::Locked { .. } => {
                self.state = State::Open { until };
                until
            }
        };
        Output::Relay { until: Some(until), not_after, answers }
    }

    fn spend(&mut self, tap: TapId) {
        if self.spent.len() >= REMEMBERED_TAPS {
            self.spent.pop_front();
        }
        self.spent.push_back(tap);
    }
}

#[cfg(test)]
mod tests;
