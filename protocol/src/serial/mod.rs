//! Bytes on serial lines.

pub mod board;
#[cfg(feature = "std")]
pub mod csafe;
pub mod keyboard;
#[cfg(feature = "std")]
pub mod pn532;
#[cfg(feature = "std")]
pub mod probe;
pub mod scanner;
#[cfg(feature = "std")]
pub mod tag;
