//! What happened, carried to all instances of the service.

mod bus;

pub use bus::{Bus, Signal, run, wait_for};
