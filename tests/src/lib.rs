//! The kit of the whole-system tests, of the demo and of the benchmarks: real processes, real clients, faults.

pub mod api;
pub mod bench;
pub mod bridge;
pub mod chaos;
pub mod cloud;
pub mod db;
pub mod demo;
pub mod doors;
pub mod edge;
pub mod gym;
pub mod http;
pub mod ledger;
pub mod load;
pub mod metrics;
pub mod mqtt;
pub mod ports;
pub mod power_cut;
pub mod process;
pub mod scene;
pub mod seed;
pub mod server;
pub mod site;
pub mod staff;
pub mod test_clock;
pub mod times;
pub mod wait;
