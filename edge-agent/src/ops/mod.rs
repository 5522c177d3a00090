//! Running the agent: clock, durable files, health, metrics, control by the command line, watchdog.

pub mod clock;
pub mod durable;
