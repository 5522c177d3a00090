//! Bytes on serial lines.

pub mod board;
#[cfg(feature = "std")]
pub mod csafe;
#[cfg(feature = "std")]
pub mod probe;
pub mod scanner;
