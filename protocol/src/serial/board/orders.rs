//! The host's orders to a board: repeated until answered, never after their time, never to another boot.

use super::FirmwareMessage;
use super::link::Output;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// Orders under way; more are refused.
const MOST_ORDERS: usize = 16;

/// An unanswered order is sent again; the board knows it by its id.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// An answer may take this long after the order's time.
const GRACE: Duration = Duration::from_secs(3);

/// An order to a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Which one.
    pub id: [u8; 16],
    /// What to do, e.g. `lock`.
    pub command: String,
    /// What to show, for `display`.
    pub text: Option<String>,
}

/// Why an order has no answer of the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// Its time was over before the board could be told.
    Expired,
    /// There are too many orders under way.
    TooMany,
    /// It does not fit into a frame.
    TooLong,
    /// The board was told and has not answered; it may or may not have done it.
    Silent,
    /// The board was told and has restarted since.
    Restarted,
}

#[derive(Debug, Clone)]
struct Pending {
    order: Order,
    until: Duration,
    was_sent: bool,
    due: Duration,
}

/// Orders without an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Orders {
    pending: Vec<Pending>,
}

impl Orders {
    /// Takes an order that is void from `until` on.
    pub fn give(
        &mut self,
        order: Order,
        until: Duration,
        now: Duration,
        outputs: &mut Vec<Output>,
    ) {
        let id = order.id;
        let pending = Pending { order, until, was_sent: false, due: now };
        let refusal = if super::encode(&pending.message(now)).is_err() {
            Some(Unanswered::TooLong)
        } else if self.pending.len() == MOST_ORDERS {
            Some(Unanswered::TooMany)
        } else {
            None
        };
        match refusal {
            Some(why) => outputs.push(Output::Unanswered { id, why }),
            None => self.pending.push(pending),
        }
    }

    /// The board has answered.
    pub fn answered(&mut self, id: [u8; 16]) {
        self.pending.retain(|pending| pending.order.id != id);
    }

    /// The board has lost its memory: what it was told must not be told to it again.
    pub fn restarted(&mut self, outputs: &mut Vec<Output>) {
        self.end(outputs, |pending| pending.was_sent.then_some(Unanswered::Restarted));
    }

    /// Ends what is past its time and gives what is to be sent now.
    pub fn due(
        &mut self,
        is_connected: bool,
        now: Duration,
        outputs: &mut Vec<Output>,
    ) -> Vec<FirmwareMessage> {
        self.end(outputs, |pending| {
            let why = if pending.was_sent { Unanswered::Silent } else { Unanswered::Expired };
            (pending.end() <= now).then_some(why)
        });
        if !is_connected {
            return Vec::new();
        }
        let due =
            self.pending.iter_mut().filter(|pending| pending.due <= now && now < pending.until);
        due.map(|pending| {
            (pending.was_sent, pending.due) = (true, now + AGAIN_AFTER);
            pending.message(now)
        })
        .collect()
    }

    /// When something is to be done.
    pub fn wake_at(&self, is_connected: bool) -> Option<Duration> {
        let times = self.pending.iter().map(|pending| {
            let is_to_be_sent = is_connected && pending.due < pending.until;
            if is_to_be_sent { pending.due } else { pending.end() }
        });
        times.min()
    }

    fn end(&mut self, outputs: &mut Vec<Output>, verdict: impl Fn(&Pending) -> Option<Unanswered>) {
        self.pending.retain(|pending| {
            let Some(why) = verdict(pending) else { return true };
            outputs.push(Output::Unanswered { id: pending.order.id, why });
            false
        });
    }
}

impl Pending {
    /// When it ends without an answer.
    fn end(&self) -> Duration {
        if self.was_sent { self.until + GRACE } else { self.until }
    }

    /// The order with what is left of its time.
    fn message(&self, now: Duration) -> FirmwareMessage {
        let ttl_ms = u32::try_from(self.until.saturating_sub(now).as_millis()).unwrap_or(u32::MAX);
        let Order { id, command, text } = self.order.clone();
        match text {
            Some(text) => FirmwareMessage::Display { id, text, ttl_ms },
            None => FirmwareMessage::Command { id, command, ttl_ms },
        }
    }
}
