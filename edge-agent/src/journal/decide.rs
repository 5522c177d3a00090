//! The seam between the journal and who decides about taps: asked on the writer's thread, once per tap that is new,
//! in the order of arrival; the answer becomes part of the tap's commit and is told only after it.

use super::spent::Spent;
use crate::access::Proof;
use bytes::Bytes;
use protocol::ids::DeviceId;
use protocol::sync::entry::{Decision, Tap};
use protocol::time::Stamp;
use std::fmt;

/// Decides about taps. It is on the way of every message: it must not block.
pub trait Decide: Send {
    /// The decision about a tap that did not come before.
    fn decide(&mut self, tap: &NewTap<'_>, spent: &mut Spent) -> Decided;
}

/// A tap that is journaled with the next commit.
#[derive(Debug)]
pub struct NewTap<'a> {
    /// The reader, by its login or its bridge's.
    pub reader: DeviceId,
    /// When it arrived.
    pub stamp: Stamp,
    /// What it says.
    pub tap: &'a Tap,
    /// What was proven about its credential when it arrived.
    pub proof: &'a Proof,
}

/// A decision, and what the reader is to be told.
#[derive(Debug)]
pub struct Decided {
    /// For the journal.
    pub decision: Decision,
    /// For the reader; none if nothing may be told any more.
    pub answer: Option<Answer>,
}

/// A message for whoever listens at a reader at this very moment. It is never kept for later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Which reader.
    pub reader: DeviceId,
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Bytes,
    /// Monotonic milliseconds after which it is not to be told any more.
    pub until_mono_ms: u64,
}

/// Who decides; nobody, as long as the journal was not told.
#[derive(Default)]
pub struct Decider(pub Option<Box<dyn Decide>>);

impl fmt::Debug for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Decider" } else { "nobody" })
    }
}
