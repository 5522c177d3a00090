//! The part of a connection's reader that gives nonces for phones: at once, and only to who asked.

use super::codec::{Publish, Reason};
use super::reader::Reader;
use super::urgent::Urgently;
use protocol::ids::DeviceId;
use protocol::mqtt::payloads::Challenge;

impl Reader<'_> {
    /// Answers a reader's question on its own topic. The question is acked in its turn, and not journaled.
    pub(super) fn give_nonce(&mut self, reader: DeviceId, publish: &Publish, asked: Challenge) {
        let door = &self.connection.door;
        match door.access.nonce(reader, asked.request_id) {
            Ok(given) => {
                let message = Urgently {
                    topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                    payload: given.payload,
                    until_mono_ms: given.until_mono_ms,
                };
                let dropped = self.connection.urgent.put(message);
                door.counters.missed.increment(dropped as u64);
            }
            Err(error) => tracing::error!(?error, "a reader gets no nonce"),
        }
        if publish.qos > 0 {
            self.expect();
            self.connection.outbox.settle(publish.packet_id, Reason::SUCCESS);
        }
    }
}
