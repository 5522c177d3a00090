//! Tests of the edge agent from outside: a real process, real MQTT clients. One module per task.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bridge;
mod certificates;
mod conformance;
mod decisions;
mod door;
mod hostile;
mod malformed;
mod rights;
mod takeover;
