//! What comes from the agent: which topics are subscribed, and how old what arrives can be at most.
//!
//! The agent writes to one connection in order. So what comes after the answer to a ping was written after that
//! ping was sent: its age is at most the time since then. A link that stalls shows up as age, whoever is at fault.

use crate::clock::{Clock, Moment};
use crate::inbox::{Slot, Word};
use crate::place::Place;
use protocol::mqtt::payloads::parse_challenge;
use protocol::mqtt::topics::Topic;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Filter;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// A ping so often keeps the bound close; two packets a second are nothing on a local network.
const PING_EVERY: Duration = Duration::from_secs(1);

/// The incoming half of a connection.
#[derive(Debug)]
pub(super) struct Hearing {
    /// Places whose topics were asked for over this connection.
    asked: BTreeSet<Place>,
    /// Places that the agent did not let us listen to.
    refused: BTreeSet<Place>,
    /// Pings that are not answered yet, in order.
    pings: VecDeque<(Instant, Moment)>,
    /// What comes now was written after this.
    written_after: Moment,
    ping_at: Instant,
    ping_every: Duration,
    patience: Duration,
}

impl Hearing {
    /// `asked_at`: when the login was sent. Without an answer to a ping for half of `keep_alive` the agent is gone.
    pub fn new(asked_at: Moment, keep_alive: Duration) -> Self {
        let ping_every = PING_EVERY.min(keep_alive / 2);
        Self {
            asked: BTreeSet::new(),
            refused: BTreeSet::new(),
            pings: VecDeque::new(),
            written_after: asked_at,
            ping_at: Instant::now() + ping_every,
            ping_every,
            patience: keep_alive / 2,
        }
    }

    /// Places that are to be subscribed now: those where a driver listens.
    pub fn unasked(&mut self, slots: &BTreeMap<Place, Slot>) -> Vec<Place> {
        slots.keys().filter(|place| self.asked.insert((*place).clone())).cloned().collect()
    }

    /// Whether the agent refuses this place for the first time.
    pub fn refused(&mut self, place: Place) -> bool {
        self.refused.insert(place)
    }

    /// Asks again for what was refused.
    pub fn ask_again(&mut self) {
        self.asked.retain(|place| !self.refused.contains(place));
    }

    /// When the next ping is due.
    pub fn ping_at(&self) -> Instant {
        self.ping_at
    }

    /// A ping leaves now; `false`: the oldest waits for its answer for too long.
    pub fn ping(&mut self, clock: &Clock) -> bool {
        let now = Instant::now();
        if self.pings.front().is_some_and(|(sent, _)| now - *sent >= self.patience) {
            return false;
        }
        self.pings.push_back((now, clock.now()));
        self.ping_at = now + self.ping_every;
        true
    }

    /// A ping was answered; `false`: none was out.
    pub fn pong(&mut self) -> bool {
        let Some((_, sent)) = self.pings.pop_front() else { return false };
        self.written_after = sent;
        true
    }

    /// How old what arrives now is at most.
    pub fn age_ms(&self, clock: &Clock) -> u32 {
        clock.age_ms(self.written_after)
    }
}

/// What to subscribe for a place. At most once is enough: a connection loses nothing, and what was said while
/// there was none is too old.
pub(super) fn filters(place: &Place) -> Vec<Filter> {
    let topics = place.role().map(|role| Topic::all_of(role, &place.code)).unwrap_or_default();
    let said = topics.into_iter().filter(Topic::is_outbound);
    said.map(|topic| Filter { nolocal: true, ..Filter::new(topic.to_string(), QoS::AtMostOnce) })
        .collect()
}

/// The word that a message is; `None` if it says nothing that a device could use.
pub(super) fn word(topic: &Topic, payload: &[u8]) -> Option<Word> {
    match topic {
        Topic::ReaderDecision(_) => json(payload).map(Word::Decision),
        Topic::Commands(..) => json(payload).map(Word::Command),
        Topic::MachineLink(_) => json(payload).map(Word::Link),
        Topic::Errors(..) => json(payload).map(Word::Error),
        // Without a nonce it is a question, perhaps our own.
        Topic::ReaderChallenge(_) => parse_challenge(payload)
            .ok()
            .filter(|challenge| challenge.nonce.is_some())
            .map(Word::Challenge),
        _ => None,
    }
}

fn json<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    serde_json::from_slice(payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const KEEP_ALIVE: Duration = Duration::from_secs(30);

    fn clock() -> Clock {
        Clock::manual(Uuid::from_u128(1), 10_000)
    }

    #[tokio::test]
    async fn what_comes_after_an_answer_is_no_older_than_its_question() {
        let clock = clock();
        let mut hearing = Hearing::new(clock.now(), KEEP_ALIVE);

        clock.set(11_000);
        hearing.ping(&clock);
        clock.set(12_000);
        hearing.ping(&clock);
        clock.set(12_300);
        let before = hearing.age_ms(&clock);
        hearing.pong();
        let after_first = hearing.age_ms(&clock);
        hearing.pong();
        let after_second = hearing.age_ms(&clock);

        assert_eq!((before, after_first, after_second), (2_300, 1_300, 300));
    }

    #[tokio::test]
    async fn a_link_that_stalls_makes_everything_old() {
        let clock = clock();
        let mut hearing = Hearing::new(clock.now(), KEEP_ALIVE);
        for second in 1..=7 {
            clock.set(10_000 + second * 1_000);
            hearing.ping(&clock);
        }

        hearing.pong();

        assert_eq!(hearing.age_ms(&clock), 6_000);
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_answers_no_ping_is_gone() {
        let clock = clock();
        let mut hearing = Hearing::new(clock.now(), KEEP_ALIVE);

        let mut pings = 0;
        while hearing.ping(&clock) {
            pings += 1;
            tokio::time::sleep_until(hearing.ping_at()).await;
        }

        assert_eq!(pings, 15);
    }

    #[test]
    fn a_device_hears_what_is_meant_for_it() {
        let reader = filters(&Place::reader(&"door".parse().unwrap()));
        let machine = filters(&Place::machine(&"bike".parse().unwrap()));
        let bridge = filters(&Place::bridge(&"box".parse().unwrap()));

        let leaves = |filters: Vec<Filter>| -> Vec<String> {
            filters.iter().map(|f| f.path.rsplit('/').next().unwrap().to_owned()).collect()
        };
        assert_eq!(leaves(reader), ["challenge", "decision", "commands", "errors"]);
        assert_eq!(leaves(machine), ["link", "commands", "errors"]);
        assert_eq!(leaves(bridge), ["commands", "errors"]);
    }
}
