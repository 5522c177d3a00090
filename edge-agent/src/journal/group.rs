//! What has arrived and waits for its commit, and when that is due.

use super::decide::Told;
use super::message::{Ack, AckSink, Item};
use protocol::machine::TimedSample;
use protocol::time::Stamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const MAX_SAMPLES: usize = 1000;
const MAX_BYTES: usize = 256 * 1024;
/// A burst has at least this many messages, or a bridge that sends in pairs would cause a commit each.
const BURST_MESSAGES: u32 = 16;
const BURST_GAP: Duration = Duration::from_micros(100);
const BURST_PAUSE: Duration = Duration::from_millis(1);

/// A group in the making. Its samples, events and acks leave together.
#[derive(Default)]
pub struct Group {
    /// In order of arrival; times are those of arrival until the group is sealed.
    pub samples: Vec<TimedSample>,
    /// Of messages without `boot`, see [`super::repeats`].
    pub digests: Vec<u8>,
    /// Encoded events, in order of arrival.
    pub events: Vec<PendingEvent>,
    /// For those who follow along.
    pub items: Vec<Item>,
    acks: Acks,
    /// Something in it may not wait.
    pub is_at_once: bool,
    bytes: usize,
    messages: u32,
    times: Option<(Instant, Instant)>,
}

/// An event that waits for its place.
pub struct PendingEvent {
    /// Which kind.
    pub class: super::classes::Class,
    /// When it arrived.
    pub stamp: Stamp,
    /// [`protocol::sync::entry::Event::encode`].
    pub payload: Vec<u8>,
    /// As of a group.
    pub digests: Option<Vec<u8>>,
}

impl Group {
    /// A message of this size was added.
    pub fn arrived(&mut self, now: Instant, bytes: usize) {
        self.bytes += bytes;
        self.messages += 1;
        let (first, _) = self.times.unwrap_or((now, now));
        self.times = Some((first, now));
    }

    /// Something came with a message.
    pub fn grew(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Somebody waits for this group.
    pub fn add_ack(&mut self, ack: Ack) {
        self.acks.add(ack);
    }

    /// Nobody waits and nothing is to be stored.
    pub fn is_empty(&self) -> bool {
        self.times.is_none()
    }

    /// All of it were repeats: somebody waits, for nothing.
    fn is_repeats_only(&self) -> bool {
        self.samples.is_empty() && self.events.is_empty() && self.bytes == 0
    }

    /// It may take no more.
    pub fn is_full(&self) -> bool {
        self.samples.len() >= MAX_SAMPLES || self.bytes >= MAX_BYTES
    }

    /// When it is to be committed if nothing else arrives.
    pub fn due(&self, group_time: Duration) -> Option<Instant> {
        let (first, last) = self.times?;
        if self.is_at_once || self.is_full() || self.is_repeats_only() {
            return Some(first);
        }
        let due = first + group_time;
        Some(if self.is_burst(last - first) { due.min(last + BURST_PAUSE) } else { due })
    }

    fn is_burst(&self, length: Duration) -> bool {
        self.messages >= BURST_MESSAGES && length < BURST_GAP * (self.messages - 1)
    }

    /// Somebody wants to know of the commit.
    pub fn add_told(&mut self, told: Vec<Told>) {
        self.acks.told.extend(told);
    }

    /// Tells everybody who waits.
    pub fn tell(&mut self) {
        self.acks.tell();
    }

    /// Who waits, for somebody else to tell.
    pub fn take_acks(&mut self) -> Acks {
        std::mem::take(&mut self.acks)
    }
}

type Waiting = (Arc<dyn AckSink>, Vec<(u16, u8)>);

/// Who waits, by connection.
#[derive(Default)]
pub struct Acks {
    connections: Vec<Waiting>,
    by_address: HashMap<usize, usize>,
    last: usize,
    told: Vec<Told>,
}

impl Acks {
    fn add(&mut self, ack: Ack) {
        let address = address(&ack.connection);
        let packet = (ack.packet_id, ack.reason);
        let same = |entry: &&mut (Arc<dyn AckSink>, _)| self::address(&entry.0) == address;
        if let Some((_, packets)) = self.connections.get_mut(self.last).filter(same) {
            packets.push(packet);
            return;
        }
        self.last = *self.by_address.entry(address).or_insert_with(|| {
            self.connections.push((ack.connection, Vec::new()));
            self.connections.len() - 1
        });
        self.connections[self.last].1.push(packet);
    }

    /// Adds those that came later, and forgets connections that have ended.
    pub fn join(&mut self, later: Self) {
        self.told.extend(later.told);
        for (connection, packets) in later.connections {
            for (packet_id, reason) in packets {
                self.add(Ack { connection: Arc::clone(&connection), packet_id, reason });
            }
        }
        if self.connections.iter().any(|(connection, _)| Arc::strong_count(connection) == 1) {
            self.connections.retain(|(connection, _)| Arc::strong_count(connection) > 1);
            let places = self.connections.iter().enumerate();
            self.by_address = places.map(|(n, (sink, _))| (address(sink), n)).collect();
            self.last = 0;
        }
    }

    /// Tells everybody.
    pub fn tell(&mut self) {
        for (connection, packets) in self.connections.drain(..) {
            connection.committed(&packets);
        }
        for told in self.told.drain(..) {
            told();
        }
        self.by_address.clear();
        self.last = 0;
    }
}

/// Tells connections apart; each is held alive by the group, so no address comes twice.
fn address(connection: &Arc<dyn AckSink>) -> usize {
    Arc::as_ptr(connection).cast::<()>() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: Duration = Duration::from_millis(500);

    fn group(messages: u32, gap: Duration) -> (Group, Instant, Instant) {
        let mut group = Group::default();
        let first = Instant::now();
        (0..messages).for_each(|n| group.arrived(first + gap * n, 200));
        (group, first, first + gap * (messages - 1))
    }

    #[test]
    fn a_group_waits_its_time_from_the_first_message() {
        let (group, first, _) = group(100, Duration::from_millis(2));

        assert_eq!(group.due(GROUP), Some(first + GROUP));
    }

    #[test]
    fn a_burst_waits_only_for_a_pause() {
        let (group, _, last) = group(100, Duration::from_micros(20));

        assert_eq!(group.due(GROUP), Some(last + BURST_PAUSE));
    }

    #[test]
    fn a_pair_is_no_burst() {
        let (group, first, _) = group(2, Duration::ZERO);

        assert_eq!(group.due(GROUP), Some(first + GROUP));
    }

    #[test]
    fn a_full_group_and_one_with_a_tap_are_due_at_once() {
        let (full, full_first, _) = group(1400, Duration::from_millis(1));
        let (mut tap, tap_first, _) = group(1, Duration::ZERO);
        tap.is_at_once = true;

        assert_eq!(full.due(GROUP), Some(full_first));
        assert_eq!(tap.due(GROUP), Some(tap_first));
    }
}
