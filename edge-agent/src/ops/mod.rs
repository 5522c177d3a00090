//! Running the agent: clock, durable files, logs, health, metrics, control by the command line, watchdog.

pub mod actions;
pub mod clock;
pub mod control;
pub mod durable;
pub mod lock;
pub mod logs;
pub mod server;
pub mod status;
pub mod watchdog;
