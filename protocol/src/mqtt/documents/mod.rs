//! JSON Schemas and an `AsyncAPI` document of the messages, generated from the types (feature `schema`).

mod asyncapi;
mod messages;
mod sample;

use messages::MESSAGES;
use serde_json::Value;

/// Every document: file name and text.
pub fn documents() -> Vec<(String, String)> {
    let schemas = MESSAGES.iter().filter_map(|message| {
        Some((format!("{}.schema.json", message.name), text(&message.schema()?)))
    });
    let asyncapi = ("asyncapi.json".to_owned(), text(&asyncapi::document()));
    schemas.chain([asyncapi]).collect()
}

/// Every JSON message: its name and examples of it.
pub fn examples() -> Vec<(&'static str, Vec<Value>)> {
    MESSAGES.iter().map(|message| (message.name, (message.examples)())).collect()
}

fn text(document: &Value) -> String {
    format!("{document:#}\n")
}
