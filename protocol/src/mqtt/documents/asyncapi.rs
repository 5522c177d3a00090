//! The `AsyncAPI` 3.0 document, as the edge agent sees it: it receives what devices publish and sends the rest.

use super::messages::{MESSAGES, Message};
use crate::ids::Code;
use crate::mqtt::topics::{PREFIX, Role, Topic};
use serde_json::{Map, Value, json};

/// The guide for vendors is the description.
const GUIDE: &str = include_str!("../../../../docs/mqtt/README.md");

pub(super) fn document() -> Value {
    json!({
        "asyncapi": "3.0.0",
        "id": "urn:gymwire:mqtt:v1",
        "info": {
            "title": "Gymwire branch MQTT",
            "version": env!("CARGO_PKG_VERSION"),
            "description": GUIDE,
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": servers(),
        "channels": each_topic(|topic| (channel_id(topic), channel(topic))),
        "operations": operations(),
        "components": {
            "messages": components(|message| Some(component(message))),
            "schemas": components(embedded),
            "securitySchemes": {
                "secret": {
                    "type": "userPassword",
                    "description": "User name: the device's code. Password: its secret.",
                },
                "certificate": {
                    "type": "X509",
                    "description": "A client certificate of the branch's own authority, with the \
                                    device's code as common name. Over TLS only.",
                },
            },
        },
    })
}

fn servers() -> Value {
    let security = |names: &[&str]| -> Vec<Value> {
        let reference =
            |name: &&str| json!({ "$ref": format!("#/components/securitySchemes/{name}") });
        names.iter().map(reference).collect()
    };
    json!({
        "tls": {
            "host": "{edge}:8883",
            "protocol": "secure-mqtt",
            "protocolVersion": "3.1.1 and 5.0",
            "description": "The branch's edge agent over TLS 1.2 or 1.3.",
            "variables": edge_address(),
            "security": security(&["secret", "certificate"]),
        },
        "plain": {
            "host": "{edge}:1883",
            "protocol": "mqtt",
            "protocolVersion": "3.1.1 and 5.0",
            "description": "Without TLS, for loopback only unless the operator opens it.",
            "variables": edge_address(),
            "security": security(&["secret"]),
        },
    })
}

fn edge_address() -> Value {
    json!({ "edge": { "description": "Name or address of the branch's edge agent." } })
}

/// Something for every topic, by its name.
fn each_topic(build: impl Fn(&Topic) -> (String, Value)) -> Value {
    let code: Code = "code".parse().expect("that is a code");
    let topics = Role::ALL.into_iter().flat_map(|role| Topic::all_of(role, &code));
    Value::Object(topics.map(|topic| build(&topic)).collect())
}

fn operations() -> Value {
    let mut operations = Map::new();
    for (action, wanted) in
        [("receive", Topic::is_inbound as fn(&Topic) -> bool), ("send", Topic::is_outbound)]
    {
        let Value::Object(all) = each_topic(|topic| {
            let operation = if wanted(topic) { operation(action, topic) } else { Value::Null };
            (format!("{action}-{}", channel_id(topic)), operation)
        }) else {
            continue;
        };
        operations.extend(all.into_iter().filter(|(_, operation)| !operation.is_null()));
    }
    Value::Object(operations)
}

/// For example `machines-telemetry`.
fn channel_id(topic: &Topic) -> String {
    format!("{}-{}", topic.role().folder(), topic.leaf())
}

fn channel(topic: &Topic) -> Value {
    let message = message_of(topic);
    json!({
        "address": format!("{PREFIX}{}/{{code}}/{}", topic.role().folder(), topic.leaf()),
        "title": title(topic),
        "description": description(topic),
        "parameters": {
            "code": { "description": "The device's code: 1 to 64 characters out of a-z, 0-9 and -." },
        },
        "messages": {
            message: { "$ref": format!("#/components/messages/{message}") },
        },
    })
}

fn operation(action: &str, topic: &Topic) -> Value {
    let channel = channel_id(topic);
    let message = message_of(topic);
    // A decision that comes late must not open a door, so it is never queued.
    let qos = u8::from(!matches!(topic, Topic::ReaderDecision(_)));
    json!({
        "action": action,
        "channel": { "$ref": format!("#/channels/{channel}") },
        "summary": title(topic),
        "messages": [{ "$ref": format!("#/channels/{channel}/messages/{message}") }],
        "bindings": { "mqtt": { "qos": qos, "retain": topic.is_retained(), "bindingVersion": "0.2.0" } },
    })
}

fn title(topic: &Topic) -> &'static str {
    let name = message_of(topic);
    MESSAGES.iter().find(|message| message.name == name).map_or("", |message| message.title)
}

fn message_of(topic: &Topic) -> &'static str {
    match topic {
        Topic::Commands(..) => "command",
        Topic::Results(..) => "result",
        Topic::Errors(..) => "error",
        other => other.leaf(),
    }
}

fn description(topic: &Topic) -> &'static str {
    match topic {
        Topic::MachineTelemetry(_) => {
            "Publish about once a second while in use. The ack comes after the commit, up to 800 ms later."
        }
        Topic::MachineSet(_) => "Publish once per finished set; committed and acked at once.",
        Topic::MachineStatus(_) | Topic::ReaderStatus(_) | Topic::BridgeStatus(_) => {
            "Publish retained after every connect and at every change. Set the same topic as last will, \
             with the state `offline`."
        }
        Topic::MachineMaintenance(_) => "Publish when the machine notices something about itself.",
        Topic::MachineFtms(_) => {
            "16 bytes of header, little-endian: boot u32, seq u64, uptime_ms u32; then the UUID of the \
             characteristic as u16 and its value, unchanged."
        }
        Topic::MachineCsafe(_) => {
            "16 bytes of header, little-endian: boot u32, seq u64, uptime_ms u32; then a whole frame, \
             unchanged."
        }
        Topic::MachineLink(_) => "Subscribe to know whom to greet. Retained.",
        Topic::ReaderTap(_) => {
            "Publish at every presentation. A tap older than 5 s when it arrives decides nothing."
        }
        Topic::ReaderChallenge(_) => {
            "The reader asks with a request id alone; the agent answers on the same topic with the nonce. \
             Ignore your own questions when they come back."
        }
        Topic::ReaderDecision(_) => {
            "The answer to a tap. QoS 0, never queued: drop it after valid_ms."
        }
        Topic::Commands(Role::Machine, _) => "Orders: lock, unlock, reset, display.",
        Topic::Commands(Role::Reader, _) => "Orders: open, hold_open, lock, display.",
        Topic::Commands(Role::Bridge, _) => "Orders: restart, diag.",
        Topic::Results(..) => {
            "Publish for every order, also `unknown` for one you do not know and `expired` for one that \
             came too late."
        }
        Topic::Errors(..) => "Subscribe during development: it names the field that was refused.",
    }
}

fn components(build: impl Fn(&Message) -> Option<Value>) -> Value {
    let named = |message: &Message| Some((message.name.to_owned(), build(message)?));
    Value::Object(MESSAGES.iter().filter_map(named).collect())
}

fn component(message: &Message) -> Value {
    if message.is_raw() {
        return json!({
            "name": message.name,
            "title": message.title,
            "contentType": "application/octet-stream",
            "payload": { "type": "string", "format": "binary", "minLength": 17 },
        });
    }
    let example = |payload| json!({ "payload": payload });
    let examples: Vec<Value> = (message.examples)().into_iter().map(example).collect();
    json!({
        "name": message.name,
        "title": message.title,
        "contentType": "application/json",
        "payload": { "$ref": format!("#/components/schemas/{}", message.name) },
        "examples": examples,
    })
}

/// The schema without the member that is only for a file of its own.
fn embedded(message: &Message) -> Option<Value> {
    let mut schema = message.schema()?;
    if let Value::Object(members) = &mut schema {
        members.remove("$schema");
    }
    Some(schema)
}
