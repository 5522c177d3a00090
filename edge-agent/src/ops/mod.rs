//! Running the agent: clock, durable files, logs, health, metrics, control by the command line,
//! watchdog, restart, orders of the cloud, backup.

pub mod actions;
pub mod backup;
pub mod clock;
pub mod control;
pub mod durable;
pub mod lock;
pub mod logs;
pub mod orders;
pub mod owner;
pub mod pulse;
pub mod restart;
pub mod server;
pub mod status;
pub mod watchdog;
