//! Tests of the cloud: its router in this process over a database of each test's own. One module per domain.

mod batches;
mod branch_devices;
mod changes;
mod commands;
mod contract;
mod decisions;
mod edge;
mod edge_commands;
mod enroll;
mod events_ahead;
mod gym;
mod http;
mod login;
mod machines;
mod member_commands;
mod member_import;
mod members;
mod private_postgres;
mod rollups;
mod server;
mod sessions;
mod state;
mod tokens;
