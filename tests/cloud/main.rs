//! Tests of the cloud: its router in this process over a database of each test's own. One module per domain.

mod commands;
mod contract;
mod gym;
mod http;
mod login;
mod machines;
mod private_postgres;
mod server;
