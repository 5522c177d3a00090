//! `make demo`: a gym at work, an outage of the cloud in the middle of it, and a count at the end.

pub mod machines;
pub mod tally;
