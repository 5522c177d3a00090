//! QR scanners on a serial line: bytes in, presented codes out.
//!
//! Every scanner speaks the same "protocol": the code, then CR, LF, CR LF or nothing at all. [`Link`] is
//! that protocol without port and clock; [`text`] is what one line means.

mod link;
pub mod text;

pub use link::{Counts, Ending, IDLE, Input, Link, MAX_LINE, Output, Settings};
