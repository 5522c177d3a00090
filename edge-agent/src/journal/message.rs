//! What the front door hands over, and what comes out of the journal once it is committed.

use super::decide::Answer;
use crate::access::Proof;
use bytes::Bytes;
use protocol::machine::Sample;
use protocol::sync::entry::{Body, Source};
use protocol::sync::state::Position;
use protocol::time::Stamp;
use std::fmt;
use std::sync::Arc;

/// A message from a device: already authenticated, authorized and parsed.
#[derive(Debug)]
pub struct Received {
    /// Who sent it.
    pub source: Source,
    /// Whom to tell after the commit; none for `QoS` 0.
    pub ack: Option<Ack>,
    /// What it says.
    pub what: What,
    /// The PUBLISH carried the DUP flag.
    pub dup: bool,
    /// [`digest`](super::digest) of the payload. Only looked at when the message has no `boot` and no id of its own.
    pub payload_digest: u64,
    /// To be passed on to subscribers after the commit.
    pub fan_out: Option<Publish>,
    /// Of a tap: what was proven about its credential. Without it nothing is decided.
    pub proof: Option<Box<Proof>>,
}

impl Received {
    /// A message that nobody waits for.
    pub fn new(source: Source, what: What) -> Self {
        Self { source, ack: None, what, dup: false, payload_digest: 0, fan_out: None, proof: None }
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Samples of a machine.
    Telemetry(Vec<Sample>),
    /// Anything else that is journaled.
    Event(Body),
    /// Nothing for the journal; its retained value is kept and passed on.
    FanOut,
}

/// Who waits for a commit.
#[derive(Clone)]
pub struct Ack {
    /// The connection.
    pub connection: Arc<dyn AckSink>,
    /// The packet id of the PUBLISH.
    pub packet_id: u16,
    /// MQTT 5 reason: 0, or 0x99 for a reject.
    pub reason: u8,
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ack").field("packet_id", &self.packet_id).finish_non_exhaustive()
    }
}

/// A connection that waits for commits.
pub trait AckSink: Send + Sync {
    /// These packets (id, reason) are on disk, in order of arrival. Called on the writer's thread: must not block.
    fn committed(&self, acks: &[(u16, u8)]);
}

/// A message for subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Bytes,
    /// Kept and told to later subscribers; an empty payload forgets.
    pub retain: bool,
}

/// One commit: what it stored, without repeats.
#[derive(Debug)]
pub struct Committed {
    /// The last entry of it.
    pub position: Position,
    /// In order of arrival.
    pub items: Vec<Item>,
}

/// One stored message.
#[derive(Debug)]
pub struct Item {
    /// Who sent it.
    pub source: Source,
    /// When it arrived.
    pub stamp: Stamp,
    /// What it says.
    pub what: What,
    /// For subscribers.
    pub publish: Option<Publish>,
    /// Of a decision: for the reader, at once.
    pub answer: Option<Answer>,
}
