//! The seam between the journal and who decides: asked on the writer's thread, once per message that is new, in the
//! order of arrival; what comes of it becomes part of the message's commit and is told only after it.

use super::message::Publish;
use super::spent::Spent;
use crate::access::Proof;
use crate::floor::{Book, Petition};
use bytes::Bytes;
use protocol::ids::DeviceId;
use protocol::sync::entry::{Body, Tap};
use protocol::time::Stamp;
use std::fmt;

/// Decides about taps and requests. It is on the way of every message: it must not block.
pub trait Decide: Send {
    /// The decision about a tap that did not come before.
    fn decide(&mut self, tap: &NewTap<'_>, kept: &mut Kept<'_>) -> Came;

    /// A device has said something else that is journaled.
    fn hear(
        &mut self,
        device: DeviceId,
        stamp: Stamp,
        body: &Body,
        kept: &mut Kept<'_>,
    ) -> Option<Came>;

    /// Somebody asks for something.
    fn ask(&mut self, stamp: Stamp, petition: Petition, kept: &mut Kept<'_>) -> Came;

    /// Time has passed.
    fn pass(&mut self, stamp: Stamp, kept: &mut Kept<'_>) -> Came;

    /// What holds is on disk, and whether that is something new.
    fn show(&mut self, book: &Book, has_changed: bool);
}

/// What is kept in the journal's database for decisions; its changes are part of the next commit.
#[derive(Debug)]
pub struct Kept<'a> {
    /// What may be used only once.
    pub spent: &'a mut Spent,
    /// What holds on the floor.
    pub book: &'a mut Book,
}

/// To be called when it is on disk. On the writer's thread: it must not block.
pub type Told = Box<dyn FnOnce() + Send>;

/// What something came to: all of it is one commit.
#[derive(Default)]
pub struct Came {
    /// To be journaled, in this order, as said by the edge.
    pub bodies: Vec<Body>,
    /// To the decision among them: what the reader is to be told; none if nothing may be told any more.
    pub answer: Option<Answer>,
    /// For subscribers.
    pub publishes: Vec<Publish>,
    /// Who waits for the commit.
    pub told: Vec<Told>,
}

impl Came {
    /// Nothing has to be written or said.
    pub fn is_empty(&self) -> bool {
        self.bodies.is_empty() && self.publishes.is_empty()
    }

    /// Tells who waits; for what is not written.
    pub fn tell(self) {
        for told in self.told {
            told();
        }
    }
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
