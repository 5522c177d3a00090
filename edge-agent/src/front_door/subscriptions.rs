//! What one connection subscribed, and which QoS 1 messages to it are not acked yet.

use super::acl::covers;
use super::codec::packet::Retained;
use std::collections::HashSet;

/// The subscriptions of a connection.
#[derive(Debug)]
pub struct Subscriptions {
    filters: Vec<Subscription>,
    unacked: HashSet<u16>,
    last_id: u16,
    /// How many messages the client takes without acking.
    window: usize,
}

#[derive(Debug)]
struct Subscription {
    filter: String,
    qos: u8,
    wants_retained: bool,
    /// Place in the router's log of the filter that comes next.
    next: Option<u64>,
}

/// What the router has to do for a granted filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Subscribe.
    New,
    /// Unsubscribe and subscribe: that is how it gives the retained values again.
    Again,
    /// Nothing.
    Same,
}

/// How to hand over a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    AtMostOnce,
    /// With this packet id.
    AtLeastOnce(u16),
}

impl Subscriptions {
    pub fn new(window: usize) -> Self {
        Self { filters: Vec::new(), unacked: HashSet::new(), last_id: 0, window: window.max(1) }
    }

    pub fn add(&mut self, filter: &str, qos: u8, retained: Retained) -> Change {
        let wants_retained = retained != Retained::Never;
        if let Some(known) = self.filters.iter_mut().find(|known| known.filter == filter) {
            (known.qos, known.wants_retained, known.next) = (qos, wants_retained, None);
            return if retained == Retained::Always { Change::Again } else { Change::Same };
        }
        self.filters.push(Subscription {
            filter: filter.to_owned(),
            qos,
            wants_retained,
            next: None,
        });
        Change::New
    }

    /// Whether there was such a subscription.
    pub fn remove(&mut self, filter: &str) -> bool {
        let before = self.filters.len();
        self.filters.retain(|known| known.filter != filter);
        self.filters.len() < before
    }

    pub fn filters(&self) -> impl Iterator<Item = &str> {
        self.filters.iter().map(|known| known.filter.as_str())
    }

    /// Whether another message may go out.
    pub fn has_room(&self) -> bool {
        self.unacked.len() < self.window
    }

    /// Whether a message of this very moment is wanted.
    pub fn is_wanted(&self, topic: &str) -> bool {
        self.filters.iter().any(|known| covers(&known.filter, topic))
    }

    /// How to deliver a message; `None`: not wanted (any more).
    pub fn deliver(&mut self, topic: &str, is_retained: bool) -> Option<Delivery> {
        let wanted = |known: &&Subscription| {
            covers(&known.filter, topic) && (known.wants_retained || !is_retained)
        };
        let qos = self.filters.iter().filter(wanted).map(|known| known.qos).max()?;
        if qos == 0 {
            return Some(Delivery::AtMostOnce);
        }
        let id = self.free_id();
        self.unacked.insert(id);
        Some(Delivery::AtLeastOnce(id))
    }

    /// Notes the place of a message in the router's log, and tells how many were overwritten there before this
    /// subscriber got them. With overlapping filters nobody can tell which log a place belongs to.
    pub fn missed(&mut self, topic: &str, place: u64) -> u64 {
        let mut covering = self.filters.iter_mut().filter(|known| covers(&known.filter, topic));
        let (Some(known), None) = (covering.next(), covering.next()) else { return 0 };
        let expected = known.next.replace(place + 1);
        expected.map_or(0, |expected| place.saturating_sub(expected))
    }

    /// The client took a message; whether that made room.
    pub fn acked(&mut self, packet_id: u16) -> bool {
        let was_full = !self.has_room();
        self.unacked.remove(&packet_id) && was_full
    }

    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.unacked.contains(&self.last_id) {
                return self.last_id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acks_in_any_order_free_their_place() {
        let mut subscriptions = Subscriptions::new(2);
        subscriptions.add("a", 1, Retained::Always);

        let first = subscriptions.deliver("a", false);
        let second = subscriptions.deliver("a", false);
        let full = subscriptions.has_room();
        let made_room = subscriptions.acked(2);
        let unknown = subscriptions.acked(77);

        assert_eq!(
            (first, second),
            (Some(Delivery::AtLeastOnce(1)), Some(Delivery::AtLeastOnce(2)))
        );
        assert_eq!((full, made_room, unknown), (false, true, false));
    }

    #[test]
    fn the_best_quality_of_overlapping_subscriptions_counts() {
        let mut subscriptions = Subscriptions::new(10);
        subscriptions.add("m/+/status", 0, Retained::Always);
        subscriptions.add("m/a/status", 1, Retained::Always);

        assert_eq!(subscriptions.deliver("m/a/status", false), Some(Delivery::AtLeastOnce(1)));
        assert_eq!(subscriptions.deliver("m/b/status", false), Some(Delivery::AtMostOnce));
        assert_eq!(subscriptions.deliver("m/b/set", false), None);
    }

    #[test]
    fn subscribing_again_asks_for_retained_values_again_unless_told_otherwise() {
        let mut subscriptions = Subscriptions::new(10);

        assert_eq!(subscriptions.add("a", 0, Retained::Always), Change::New);
        assert_eq!(subscriptions.add("a", 1, Retained::Always), Change::Again);
        assert_eq!(subscriptions.add("a", 1, Retained::IfNew), Change::Same);
        assert_eq!(subscriptions.add("a", 0, Retained::Never), Change::Same);
        assert_eq!(subscriptions.deliver("a", true), None);
        assert_eq!(subscriptions.deliver("a", false), Some(Delivery::AtMostOnce));
    }

    #[test]
    fn overwritten_messages_are_counted() {
        let mut subscriptions = Subscriptions::new(10);
        subscriptions.add("a/+", 0, Retained::Always);
        subscriptions.add("b", 0, Retained::Always);

        let counts = [("a/1", 5), ("a/2", 6), ("b", 90), ("a/1", 10), ("c", 1)];

        let missed = counts.map(|(topic, place)| subscriptions.missed(topic, place));
        assert_eq!(missed, [0, 0, 0, 3, 0]);
    }

    #[test]
    fn packet_ids_wrap_around_those_in_use() {
        let mut subscriptions = Subscriptions::new(10);
        subscriptions.add("a", 1, Retained::Always);
        subscriptions.deliver("a", false);
        subscriptions.last_id = u16::MAX;

        assert_eq!(subscriptions.deliver("a", false), Some(Delivery::AtLeastOnce(2)));
    }
}
