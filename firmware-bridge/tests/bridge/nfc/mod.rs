//! Card readers: link and emulated chip in simulated time, the driver on a pseudo terminal, and the tools of others.

mod bridge;
mod faults;
#[cfg(feature = "libnfc")]
mod libnfc;
mod presenting;
mod readers;
mod simulation;
mod streams;
mod tools;
