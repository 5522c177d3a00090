//! What the bridge tells about itself and its devices: retained `status` topics, the latest value counts.

use crate::place::{Place, Statuses};
use crate::queue::QueueState;
use protocol::ids::Code;
use protocol::mqtt::payloads::MAX_TEXT_CHARS;
use protocol::mqtt::topics::Topic;
use protocol::sync::entry::{DeviceState, DeviceStatus};
use std::collections::BTreeMap;
use tokio::sync::watch;

/// A retained message: topic and payload.
pub type Status = (String, Vec<u8>);

/// Everything that should be retained at the agent now.
pub fn all(
    bridge: &Code,
    queue: &QueueState,
    troubles: &BTreeMap<String, String>,
    statuses: &Statuses,
) -> Vec<Status> {
    let mut own = DeviceStatus { firmware: Some(env!("CARGO_PKG_VERSION").into()), ..idle() };
    let queue = (!queue.durable)
        .then(|| "the queue is not on disk: taps are kept in memory only".to_owned());
    let troubles = troubles.iter().map(|(name, trouble)| format!("{name}: {trouble}"));
    let errors: Vec<String> = queue.into_iter().chain(troubles).collect();
    own.error = (!errors.is_empty()).then(|| cut(&errors.join("; ")));
    let own = (Topic::BridgeStatus(bridge.clone()).to_string(), bytes(&own));
    let devices = statuses
        .iter()
        .filter_map(|(place, status)| Some((place.status_topic()?.to_string(), bytes(status))));
    std::iter::once(own).chain(devices).collect()
}

/// What the agent should retain once the bridge is gone; also the last will.
pub fn offline(bridge: &Code) -> Status {
    (Topic::BridgeStatus(bridge.clone()).to_string(), br#"{"state":"offline"}"#.to_vec())
}

/// A device that is there and ready.
pub fn idle() -> DeviceStatus {
    DeviceStatus { state: DeviceState::Idle, firmware: None, uptime_ms: None, error: None }
}

/// A device that cannot be reached, and why.
pub fn lost(why: impl Into<String>) -> DeviceStatus {
    DeviceStatus { state: DeviceState::Offline, error: Some(cut(&why.into())), ..idle() }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARS).collect()
}

/// Notes how a device is.
pub fn note(statuses: &watch::Sender<Statuses>, place: &Place, status: DeviceStatus) {
    statuses.send_if_modified(|known| {
        let is_new = known.get(place) != Some(&status);
        if is_new {
            known.insert(place.clone(), status);
        }
        is_new
    });
}

fn bytes(status: &DeviceStatus) -> Vec<u8> {
    status.to_json().to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::mqtt::payloads::parse_status;

    #[test]
    fn every_status_is_one_that_the_agent_understands() {
        let bridge: Code = "bridge-1".parse().unwrap();
        let statuses = Statuses::from([
            (Place::machine(&"bike".parse().unwrap()), idle()),
            (Place::reader(&"door".parse().unwrap()), idle()),
            (Place::reader(&"turnstile".parse().unwrap()), lost("no such device")),
        ]);

        let mut statuses = all(&bridge, &QueueState::default(), &BTreeMap::new(), &statuses);
        statuses.push(offline(&bridge));

        let states: Vec<_> = statuses
            .iter()
            .map(|(topic, payload)| {
                (topic.as_str(), parse_status(payload).unwrap().error.is_some())
            })
            .collect();
        assert_eq!(
            states,
            [
                ("gymwire/v1/bridges/bridge-1/status", true),
                ("gymwire/v1/machines/bike/status", false),
                ("gymwire/v1/readers/door/status", false),
                ("gymwire/v1/readers/turnstile/status", true),
                ("gymwire/v1/bridges/bridge-1/status", false),
            ]
        );
    }

    #[test]
    fn everything_that_is_wrong_with_the_bridge_is_said_with_its_status() {
        let troubles = ["relay GPIO17", "relay GPIO27"].map(|name| (name.into(), "is away".into()));

        let statuses = all(
            &"bridge-1".parse().unwrap(),
            &QueueState { durable: true, ..QueueState::default() },
            &troubles.into(),
            &Statuses::new(),
        );

        let said = parse_status(&statuses[0].1).unwrap().error;
        assert_eq!(said.as_deref(), Some("relay GPIO17: is away; relay GPIO27: is away"));
    }

    #[test]
    fn noting_the_same_state_again_wakes_nobody() {
        let (statuses, mut watched) = watch::channel(Statuses::new());
        let door = Place::reader(&"door".parse().unwrap());

        note(&statuses, &door, idle());
        watched.mark_unchanged();
        note(&statuses, &door, idle());

        assert!(!watched.has_changed().unwrap());
    }
}
