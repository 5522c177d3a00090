//! The branch daemon: takes in what readers and machines say, keeps it, and passes it to the cloud.

pub mod access;
pub mod cli;
pub mod config;
mod device_time;
pub mod floor;
pub mod front_door;
pub mod journal;
pub mod ops;
pub mod registry;
pub mod staff;
pub mod supervisor;
pub mod update;
pub mod uplink;
