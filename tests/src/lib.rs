//! The kit of the whole-system tests, of the demo and of the benchmarks: real processes, real clients, faults.

pub mod chaos;
pub mod mqtt;
pub mod process;
pub mod seed;
pub mod wait;
