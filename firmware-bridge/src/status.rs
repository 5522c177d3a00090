//! What the bridge tells about itself and its readers: retained `status` topics, the latest value counts.

use crate::queue::QueueState;
use protocol::ids::Code;
use protocol::mqtt::topics::Topic;
use serde_json::json;
use std::collections::BTreeMap;
use tokio::sync::watch;

/// Whether a reader's port can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortState {
    /// Open, the device may speak.
    Open,
    /// Not there or not to be opened, and why.
    Lost(String),
}

/// The ports of all readers, as far as they are known.
pub type Ports = BTreeMap<Code, PortState>;

/// A retained message: topic and payload.
pub type Status = (String, Vec<u8>);

/// Everything that should be retained at the agent now.
pub fn all(bridge: &Code, queue: &QueueState, ports: &Ports) -> Vec<Status> {
    let mut own = json!({ "state": "idle", "firmware": env!("CARGO_PKG_VERSION") });
    if !queue.durable {
        own["error"] = "the queue is not on disk: taps are kept in memory only".into();
    }
    let mut statuses = vec![(Topic::BridgeStatus(bridge.clone()).to_string(), bytes(&own))];
    for (reader, port) in ports {
        let status = match port {
            PortState::Open => json!({ "state": "idle" }),
            PortState::Lost(why) => json!({ "state": "offline", "error": why }),
        };
        statuses.push((Topic::ReaderStatus(reader.clone()).to_string(), bytes(&status)));
    }
    statuses
}

/// What the agent should retain once the bridge is gone; also the last will.
pub fn offline(bridge: &Code) -> Status {
    (Topic::BridgeStatus(bridge.clone()).to_string(), bytes(&json!({ "state": "offline" })))
}

/// Notes the state of a reader's port.
pub fn note(ports: &watch::Sender<Ports>, reader: &Code, state: PortState) {
    ports.send_if_modified(|known| known.insert(reader.clone(), state.clone()) != Some(state));
}

fn bytes(status: &serde_json::Value) -> Vec<u8> {
    status.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::mqtt::payloads::parse_status;

    #[test]
    fn every_status_is_one_that_the_agent_understands() {
        let bridge: Code = "bridge-1".parse().unwrap();
        let ports = Ports::from([
            ("door".parse().unwrap(), PortState::Open),
            ("turnstile".parse().unwrap(), PortState::Lost("no such device".into())),
        ]);

        let mut statuses = all(&bridge, &QueueState::default(), &ports);
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
                ("gymwire/v1/readers/door/status", false),
                ("gymwire/v1/readers/turnstile/status", true),
                ("gymwire/v1/bridges/bridge-1/status", false),
            ]
        );
    }

    #[test]
    fn noting_the_same_state_again_wakes_nobody() {
        let (ports, mut watched) = watch::channel(Ports::new());
        let door: Code = "door".parse().unwrap();

        note(&ports, &door, PortState::Open);
        watched.mark_unchanged();
        note(&ports, &door, PortState::Open);

        assert!(!watched.has_changed().unwrap());
    }
}
