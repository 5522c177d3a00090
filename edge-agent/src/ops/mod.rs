//! Running the agent: clock, configuration, health, metrics, watchdog.

pub mod clock;
