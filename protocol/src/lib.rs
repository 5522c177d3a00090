//! What crosses a wire between Gymwire's programs, and the rules they share.
//!
//! No I/O, no clock and no async in here: bytes go in, values come out. Without the feature `std` only
//! [`serial::board`] is built, for firmware.

#![cfg_attr(not(feature = "std"), no_std)]
#![warn(missing_docs)]

extern crate alloc;

pub mod serial;

#[cfg(feature = "std")]
pub mod access;
#[cfg(feature = "std")]
pub mod credential;
#[cfg(feature = "std")]
pub mod ids;
#[cfg(feature = "std")]
pub mod machine;
#[cfg(feature = "std")]
pub mod mqtt;
#[cfg(feature = "std")]
pub mod rules;
#[cfg(feature = "std")]
pub mod sync;
#[cfg(feature = "std")]
pub mod time;
