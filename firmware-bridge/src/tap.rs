//! From a presented credential to the message that waits for the agent, and from there to what is published.

use crate::clock::{Clock, Moment};
use crate::queue::{Class, Entry, Message};
use protocol::credential::Credential;
use protocol::ids::{Code, TapId};
use protocol::mqtt::payloads::{parse_tap, tap_json};
use protocol::mqtt::topics::Topic;
use uuid::Uuid;

/// A credential was presented at a reader at `taken`: the name of this presentation, and its message.
pub fn message(reader: &Code, credential: &Credential, taken: Moment) -> (TapId, Message) {
    let tap_id = TapId(Uuid::now_v7());
    let message = Message {
        class: Class::Tap,
        topic: Topic::ReaderTap(reader.clone()).to_string(),
        taken,
        payload: tap_json(tap_id, credential, 0),
    };
    (tap_id, message)
}

/// What to publish now: a tap says how old it has become, anything else goes as it is.
pub fn payload(entry: &Entry, clock: &Clock) -> Vec<u8> {
    match (entry.class, parse_tap(&entry.payload)) {
        (Class::Tap, Ok(tap)) => tap_json(tap.tap_id, &tap.credential, clock.age_ms(entry.taken)),
        _ => entry.payload.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry((_, message): (TapId, Message)) -> Entry {
        let Message { class, topic, taken, payload } = message;
        Entry { seq: 1, class, topic, taken, payload }
    }

    #[test]
    fn a_tap_keeps_its_id_and_tells_its_age_each_time() {
        let clock = Clock::manual(Uuid::from_u128(1), 10_000);
        let qr = Credential::Qr { code: "G1abc".into() };
        let entry = entry(message(&"door".parse().unwrap(), &qr, clock.now()));

        clock.set(10_040);
        let first = parse_tap(&payload(&entry, &clock)).unwrap();
        clock.set(15_040);
        let second = parse_tap(&payload(&entry, &clock)).unwrap();

        assert_eq!(entry.topic, "gymwire/v1/readers/door/tap");
        assert_eq!((first.age_ms, second.age_ms), (40, 5_040));
        assert_eq!(first.tap_id, second.tap_id);
        assert_eq!(first.tap_id.0.get_version_num(), 7);
        assert_eq!(second.credential, qr);
    }

    #[test]
    fn after_a_reboot_a_tap_can_never_pass_as_fresh() {
        let before = Clock::manual(Uuid::from_u128(1), 10_000);
        let qr = Credential::Qr { code: "G1abc".into() };
        let entry = entry(message(&"door".parse().unwrap(), &qr, before.now()));

        let after = Clock::manual(Uuid::from_u128(2), 10_001);

        assert_eq!(parse_tap(&payload(&entry, &after)).unwrap().age_ms, u32::MAX);
    }
}
