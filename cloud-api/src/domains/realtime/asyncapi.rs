//! The document of what is said over the live channels (`AsyncAPI` 3), made from the closed list of events.

use super::presence::Presence;
use super::said::{Auth, Subscribe, Unsubscribe};
use super::workouts::LiveValues;
use super::{presence, workouts};
use crate::events::log::{KINDS, RESERVED, RESERVED_OF_CLIENTS};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

type Schemas = Vec<(String, RefOr<Schema>)>;

/// The document.
pub fn document() -> Value {
    let mut schemas = Map::new();
    let mut messages = Map::new();
    for kind in KINDS {
        let mut parts = Schemas::new();
        (kind.parts)(&mut parts);
        parts.push(((kind.data_name)(), (kind.schema)()));
        add(&mut schemas, parts);
        let data = reference(&(kind.data_name)());
        messages.insert(id(kind.name), event(kind.name, kind.description.trim(), &data, true));
    }
    for (name, description, parts, data) in of_now().into_iter().chain(of_connections()) {
        add(&mut schemas, parts);
        messages.insert(id(name), event(name, description, &data, false));
    }
    let to_clients: Vec<_> = messages.keys().cloned().collect();
    for (name, description, parts) in of_clients() {
        add(&mut schemas, parts);
        messages.insert(id_of_client(name), said(name, description));
    }
    let from_clients: Vec<_> =
        messages.keys().filter(|id| !to_clients.contains(id)).cloned().collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Gymwire live",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
        },
        "channels": {
            "socket": {
                "address": "/api/v1/ws",
                "description": "Everything over one WebSocket. `/api/v1/ws/machines?branch_id=` and `/api/v1/ws/workouts` \
                    are the same with channels to begin with; `/api/v1/events` tells the same as server-sent events.",
                "messages": refer(&messages),
            },
        },
        "operations": {
            "hear": operation("send", &to_clients),
            "say": operation("receive", &from_clients),
        },
        "components": {"messages": messages, "schemas": schemas},
        "x-reserved": {"events": RESERVED, "frames": RESERVED_OF_CLIENTS},
    })
}

const DESCRIPTION: &str = "Frames are JSON: `{\"type\", \"id\"?, \"at\"?, \"data\"}`. Channels: `user` (what is told to oneself), \
    `workouts` (the own training, with live values), `branch:ID` (machines of a branch), `staff:ID` (for who works there). \
    After `subscribed` comes a `snapshot` of each channel, then changes. Keep the `id` of the last event and name it as \
    `last_event_id` with the first channels of the next connection: nothing is missed and nothing comes twice, on whichever \
    instance. If it is too old (a day), `reset` and snapshots come instead. Close codes: 4401 token bad, over or \
    revoked; 4408 too slow; 4410 not answering; 4429 too many connections; 1009 frame too long; 1001 the instance ends.";

fn add(schemas: &mut Map<String, Value>, parts: Schemas) {
    for (name, schema) in parts {
        schemas.insert(name, serde_json::to_value(schema).unwrap_or_default());
    }
}

fn parts<T: ToSchema>() -> Schemas {
    let mut parts = Schemas::new();
    T::schemas(&mut parts);
    parts.push((T::name().into_owned(), T::schema()));
    parts
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// What is not kept: values of now.
fn of_now() -> Vec<(&'static str, &'static str, Schemas, Value)> {
    vec![
        (
            workouts::KIND,
            "What the machine measures that one has. Only the last values; cannot be resumed.",
            parts::<LiveValues>(),
            reference(&LiveValues::name()),
        ),
        (
            presence::KIND,
            "Who of a branch's members is online, for staff.",
            parts::<Presence>(),
            reference(&Presence::name()),
        ),
    ]
}

/// What concerns the connection itself.
fn of_connections() -> Vec<(&'static str, &'static str, Schemas, Value)> {
    let texts = |names: &[&str]| {
        let texts: Map<_, _> =
            names.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect();
        json!({"type": "object", "properties": texts})
    };
    let channels = json!({"type": "object", "properties": {
        "channels": {"type": "array", "items": {"type": "string"}}, "reason": {"type": "string"}}});
    vec![
        (
            "ready",
            "The token is good.",
            Vec::new(),
            json!({"type": "object", "properties": {
                "user_id": {"type": "string", "format": "uuid"}, "expires_at": {"type": "integer"}}}),
        ),
        (
            "authenticated",
            "The new token is good.",
            Vec::new(),
            json!({"type": "object", "properties": {"expires_at": {"type": "integer"}}}),
        ),
        (
            "subscribed",
            "These channels are heard now. The id of the first is where to go on if nothing else is heard.",
            Vec::new(),
            channels.clone(),
        ),
        (
            "unsubscribed",
            "These channels are not heard any more; with a reason if it was not asked for.",
            Vec::new(),
            channels,
        ),
        (
            "snapshot",
            "How things stand in a channel: `machines` of a branch; `sessions` and `presence` for staff; `session`, `link` \
             and `offers` of oneself; `link` and `live` of the own training.",
            Vec::new(),
            json!({"type": "object", "required": ["channel"],
                "properties": {"channel": {"type": "string"}}, "additionalProperties": true}),
        ),
        (
            "reset",
            "Nobody knows any more what was missed; snapshots follow.",
            Vec::new(),
            texts(&["reason"]),
        ),
        (
            "error",
            "Something is wrong with a frame. Codes: malformed, unknown_type, invalid_field, not_allowed, not_available, \
             too_many_channels, already_subscribed, other_user, unavailable.",
            Vec::new(),
            texts(&["code", "field", "message"]),
        ),
        ("pong", "The answer to a ping.", Vec::new(), json!({"type": "object"})),
    ]
}

fn of_clients() -> Vec<(&'static str, &'static str, Schemas)> {
    vec![
        ("auth", "Says who one is: the first frame, or a new token to go on.", parts::<Auth>()),
        ("subscribe", "Asks for channels.", parts::<Subscribe>()),
        ("unsubscribe", "Does without channels.", parts::<Unsubscribe>()),
        (
            "ping",
            "Is answered by a pong, for clients that cannot see those of the protocol.",
            Vec::new(),
        ),
    ]
}

fn event(name: &str, description: &str, data: &Value, is_kept: bool) -> Value {
    let mut properties = json!({"type": {"const": name}, "data": data});
    let mut required = vec!["type", "data"];
    if is_kept {
        properties["id"] = json!({"type": "string", "description": "Opaque, for `last_event_id`."});
        properties["at"] = json!({"type": "string", "format": "date-time"});
        required.extend(["id", "at"]);
    }
    let payload = json!({"type": "object", "required": required, "properties": properties});
    json!({"name": name, "summary": description, "payload": payload})
}

/// The fields of a client's frame stand beside its type.
fn said(name: &str, description: &str) -> Value {
    let kind =
        json!({"type": "object", "required": ["type"], "properties": {"type": {"const": name}}});
    let payload = match name {
        "auth" => json!({"allOf": [kind, reference(&Auth::name())]}),
        "subscribe" => json!({"allOf": [kind, reference(&Subscribe::name())]}),
        "unsubscribe" => json!({"allOf": [kind, reference(&Unsubscribe::name())]}),
        _ => kind,
    };
    json!({"name": name, "summary": description, "payload": payload})
}

fn id(name: &str) -> String {
    name.replace(':', "_")
}

fn id_of_client(name: &str) -> String {
    format!("say_{name}")
}

fn refer(messages: &Map<String, Value>) -> Value {
    let references = messages
        .keys()
        .map(|id| (id.clone(), json!({"$ref": format!("#/components/messages/{id}")})));
    Value::Object(references.collect())
}

fn operation(action: &str, messages: &[String]) -> Value {
    let messages = messages.iter();
    let messages: Vec<_> =
        messages.map(|id| json!({"$ref": format!("#/channels/socket/messages/{id}")})).collect();
    json!({"action": action, "channel": {"$ref": "#/channels/socket"}, "messages": messages})
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` below a value.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    found.push(reference.clone());
                }
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_event_is_in_the_document_and_every_reference_leads_somewhere() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);

        assert!(
            KINDS.iter().all(|kind| document["components"]["messages"][id(kind.name)].is_object())
        );
        let lost = found.iter().filter(|path| document.pointer(&path[1..]).is_none());
        assert_eq!(lost.collect::<Vec<_>>(), Vec::<&String>::new());
    }
}
