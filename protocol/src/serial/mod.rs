//! Bytes on serial lines.

pub mod board;
pub mod scanner;
