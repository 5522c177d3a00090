//! Packets that wait for their ack: which number belongs to which message, and how many may be out.

use crate::place::Place;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// More than this many unacked messages bring nothing on a local network.
const LARGEST: usize = 64;

/// What a packet carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cargo {
    /// The message of the queue with this number.
    Message(u64),
    /// The status of this topic.
    Status(String),
    /// The subscriptions of this place.
    Subscriptions(Place),
}

/// The unacked packets of one connection.
#[derive(Debug)]
pub(super) struct Window {
    limit: usize,
    last_id: u16,
    out: BTreeMap<u16, (Cargo, Instant)>,
}

impl Window {
    /// `receive_max` is what the agent takes at once.
    pub fn new(receive_max: u16) -> Self {
        Self { limit: usize::from(receive_max).clamp(1, LARGEST), last_id: 0, out: BTreeMap::new() }
    }

    pub fn free(&self) -> usize {
        self.limit.saturating_sub(self.out.len())
    }

    /// Gives the packet its number.
    pub fn send(&mut self, cargo: Cargo, now: Instant) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.out.contains_key(&self.last_id) {
                self.out.insert(self.last_id, (cargo, now));
                return self.last_id;
            }
        }
    }

    /// What was acked; `None` if nothing with this number is out.
    pub fn acked(&mut self, id: u16) -> Option<Cargo> {
        self.out.remove(&id).map(|(cargo, _)| cargo)
    }

    pub fn holds(&self, message: u64) -> bool {
        self.out.values().any(|(cargo, _)| *cargo == Cargo::Message(message))
    }

    /// Since when the oldest packet is out.
    pub fn oldest(&self) -> Option<Instant> {
        self.out.values().map(|(_, since)| *since).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_not_used_again_before_its_ack() {
        let now = Instant::now();
        let mut window = Window::new(10);
        let first = window.send(Cargo::Message(1), now);
        let stuck = window.send(Cargo::Message(2), now);
        assert_eq!(window.acked(first), Some(Cargo::Message(1)));

        for message in 3..70_000 {
            let id = window.send(Cargo::Message(message), now);
            assert_ne!(id, 0);
            assert_ne!(id, stuck);
            assert_eq!(window.acked(id), Some(Cargo::Message(message)));
        }

        assert!(window.holds(2));
        assert_eq!(window.acked(first), None);
    }

    #[test]
    fn the_agents_limit_counts() {
        let now = Instant::now();
        let mut window = Window::new(2);

        window.send(Cargo::Message(1), now);
        window.send(Cargo::Status("a".into()), now);

        assert_eq!(window.free(), 0);
        assert_eq!(Window::new(0).free(), 1);
        assert_eq!(Window::new(u16::MAX).free(), LARGEST);
    }
}
