//! One folder per domain. A domain's writes go through what its `mod.rs` offers; SQL may read all tables.

pub mod accounts;
pub mod activity;
pub mod body;
pub mod branches;
pub mod devices;
pub mod edges;
pub mod files;
pub mod floor;
pub mod joining;
pub mod machines;
pub mod members;
pub mod organizations;
pub mod privacy;
pub mod realtime;
pub mod scans;
pub mod sessions;
pub mod tags;
pub mod telemetry;
pub mod users;
pub mod watch;
pub mod workouts;
