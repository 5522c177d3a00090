//! The card reader chip PN532 on a serial line (115 200 baud, 8N1).
//!
//! [`Link`] is the host's side without port and clock: bytes in, presented credentials out. [`frame`] serves the
//! emulated chip as well. Commands are made by the crate `pn532`; frames are found and checked here, since that
//! crate neither finds its way back into a disturbed stream nor reads answers of unknown length.

mod command;
pub mod frame;
mod link;
mod listing;

pub use command::{ABORT, WAKE_UP, version};
pub use link::{Fault, Input, Link, Notice, Output, Settings};
pub use listing::{Listed, parse as parse_listing};
