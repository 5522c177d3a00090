//! What devices and the edge agent say to each other over MQTT: topics and JSON payloads.

#[cfg(feature = "schema")]
pub mod documents;
pub mod payloads;
pub mod topics;

pub use payloads::Refusal;
pub use topics::{Role, Topic};
