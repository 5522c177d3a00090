//! Bytes on serial lines.

pub mod board;
