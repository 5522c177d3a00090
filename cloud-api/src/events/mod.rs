//! What happened, carried to all instances of the service.

mod bus;
pub mod log;
pub mod outbox;
mod relay;
mod remembered;

pub use bus::{Bus, Signal, run, wait_for};
pub use relay::Relay;
pub use remembered::Remembered;
