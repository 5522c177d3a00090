//! What devices and the edge agent say to each other over MQTT: topics and JSON payloads.

pub mod payloads;
pub mod topics;

pub use payloads::Refusal;
pub use topics::{Role, Topic};
