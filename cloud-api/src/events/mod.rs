//! What happened, carried to all instances of the service.

mod bus;
pub mod outbox;
mod relay;

pub use bus::{Bus, Signal, run, wait_for};
pub use relay::Relay;
