//! The journal: what came in is on disk before anybody is told so, and stays there until the cloud has it.
//!
//! One thread owns the writing connection (`writer`); reading for the uplink has a connection of its own, so it
//! never delays a commit. Entries are numbered without holes: `seq` counts within an `epoch`, a random number
//! drawn at every opening, and what is thinned or dropped leaves an entry that covers its range.

mod carve;
mod check;
mod checkpoint;
mod classes;
mod commit;
mod config;
mod connection;
mod decide;
mod devices;
mod disk;
mod entry;
mod epochs;
mod exile;
mod group;
mod handle;
mod intake;
mod lately;
mod let_in;
mod maintenance;
mod merge;
mod message;
mod open;
mod packing;
mod quota;
mod reader;
mod recent;
mod rejects;
mod repeats;
mod restore;
mod retained;
mod salvage;
mod schema;
mod spent;
mod stats;
mod store;
mod thin;
mod upkeep;
mod verify;
mod wal;
mod writer;

pub use config::{JournalConfig, Limits, Synchronous};
pub use decide::{Answer, Came, Decide, Kept, NewTap, Told};
pub use handle::{BatchLimits, Closed, Journal, Opened};
pub use lately::lately;
pub use let_in::LetIn;
pub use message::{Ack, AckSink, Committed, Item, Publish, Received, What};
pub use protocol::sync::state::Position;
pub use repeats::digest;
pub use schema::VERSION as SCHEMA_VERSION;
pub use schema::{DELETE_FLOOR, FLOOR, PUT_FLOOR};
pub use spent::{CodeTime, Spent, UsedCode};
pub use stats::{JournalStats, Mode};
pub use verify::{EpochReport, Report, verify};

#[cfg(test)]
mod tests;
