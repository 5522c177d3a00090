//! What is to be written to one connection, and which of its messages still wait for their ack.
//!
//! The journal's writer puts acks here after the commit; they leave in the order in which the messages came
//! (MQTT-4.6.0-2), refusals included, which are ready at once but wait for their turn.

use super::codec::{Reason, Version, write};
use crate::journal::AckSink;
use bytes::BytesMut;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Shared by the reader, the writer and the journal.
#[derive(Debug)]
pub struct Outbox {
    version: Version,
    state: Mutex<State>,
    /// There is something to write.
    written: Notify,
    /// Acks made room for more messages.
    room: Notify,
}

/// Nothing more is read from a client that does not read this much of its answers.
const MAX_UNREAD: usize = 64 * 1024;

#[derive(Debug, Default)]
struct State {
    bytes: BytesMut,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    packet_id: u16,
    answer: Option<Reason>,
}

impl Outbox {
    pub fn new(version: Version) -> Self {
        Self { version, state: Mutex::default(), written: Notify::new(), room: Notify::new() }
    }

    /// A message will be acked after its commit.
    pub fn expect(&self, packet_ids: impl Iterator<Item = u16>) {
        let waiting = packet_ids.map(|packet_id| Waiting { packet_id, answer: None });
        self.lock().waiting.extend(waiting);
    }

    /// A message is refused, or done with before any commit; the answer waits for the acks before it.
    pub fn settle(&self, packet_id: u16, reason: Reason) {
        let mut state = self.lock();
        state.waiting.push_back(Waiting { packet_id, answer: Some(reason) });
        state.flush(self.version);
        drop(state);
        self.written.notify_one();
    }

    /// Whether a message with this packet id has not been acked yet.
    pub fn is_waiting(&self, packet_id: u16) -> bool {
        self.lock().waiting.iter().any(|waiting| waiting.packet_id == packet_id)
    }

    /// How many messages have not been acked yet.
    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Waits until fewer than `limit` messages are without an ack and the client has read most of what it was sent.
    pub async fn room(&self, limit: usize) {
        while !self.has_room(limit) {
            self.room.notified().await;
        }
    }

    fn has_room(&self, limit: usize) -> bool {
        let state = self.lock();
        state.waiting.len() < limit && state.bytes.len() < MAX_UNREAD
    }

    /// Adds packets that need not wait for anything.
    pub fn write(&self, packets: impl FnOnce(&mut BytesMut)) {
        packets(&mut self.lock().bytes);
        self.written.notify_one();
    }

    /// Waits for something to write.
    pub async fn written(&self) {
        self.written.notified().await;
    }

    /// Takes everything there is to write; `spare` becomes the next buffer.
    pub fn take(&self, spare: BytesMut) -> BytesMut {
        let taken = std::mem::replace(&mut self.lock().bytes, spare);
        self.room.notify_one();
        taken
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AckSink for Outbox {
    fn committed(&self, acks: &[(u16, u8)]) {
        let mut state = self.lock();
        state.bytes.reserve(acks.len() * 5);
        for &(packet_id, reason) in acks {
            state.answer(self.version, packet_id, Reason(reason));
        }
        drop(state);
        self.written.notify_one();
        self.room.notify_one();
    }
}

impl State {
    fn answer(&mut self, version: Version, packet_id: u16, reason: Reason) {
        // Nearly always the first one; only a refusal in between makes it another.
        let mine =
            |waiting: &&mut Waiting| waiting.packet_id == packet_id && waiting.answer.is_none();
        if let Some(waiting) = self.waiting.iter_mut().find(mine) {
            waiting.answer = Some(reason);
            self.flush(version);
        }
    }

    fn flush(&mut self, version: Version) {
        while let Some(&Waiting { packet_id, answer: Some(reason) }) = self.waiting.front() {
            write::puback(&mut self.bytes, version, packet_id, reason);
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_waits_for_the_acks_before_it() {
        let outbox = Outbox::new(Version::V5);
        outbox.expect([1, 2].into_iter());
        outbox.settle(3, Reason::NOT_AUTHORIZED);

        let before = outbox.take(BytesMut::new());
        outbox.committed(&[(1, 0), (2, 0x99)]);
        let after = outbox.take(BytesMut::new());

        assert!(before.is_empty());
        assert_eq!(after.as_ref(), [0x40, 2, 0, 1, 0x40, 3, 0, 2, 0x99, 0x40, 3, 0, 3, 0x87]);
        assert_eq!(outbox.waiting(), 0);
    }

    #[test]
    fn a_commit_that_overtakes_does_not_change_the_order() {
        let outbox = Outbox::new(Version::V311);
        outbox.expect([1, 2].into_iter());

        outbox.committed(&[(2, 0)]);
        let early = outbox.take(BytesMut::new());
        outbox.committed(&[(1, 0)]);

        assert!(early.is_empty());
        assert_eq!(outbox.take(BytesMut::new()).as_ref(), [0x40, 2, 0, 1, 0x40, 2, 0, 2]);
    }
}
