//! CSAFE: how fitness consoles speak over a serial line at 9600 baud, 8N1. We are the master, they only answer.
//!
//! [`frame`] is bytes and frames, [`command`] and [`answer`] what is in them, [`Link`] the conversation without port and
//! clock. What the numbers mean is in [`crate::machine::csafe`].

pub mod answer;
pub mod command;
pub mod frame;
mod link;
mod quirks;

pub use link::{Disturbance, Input, Link, OrderEnd, Output, Reset, SILENT_AFTER};
pub use quirks::{BadQuirks, Quirks};
