//! Moves what serial devices of a gym say to the edge agent, by MQTT, and loses none of it on the way.
//!
//! A driver per device talks to the [`desk`], which feeds the [`queue`]; the [`publisher`] empties it and hears the
//! agent. Drivers only move bytes: what the bytes
//! mean is decided by the links in `protocol`.

pub mod clock;
pub mod command;
pub mod config;
pub mod desk;
pub mod drivers;
#[cfg(feature = "emulators")]
pub mod emulators;
pub mod inbox;
pub mod orders;
pub mod place;
pub mod port;
pub mod probe;
pub mod publisher;
pub mod queue;
pub mod status;
pub mod supervisor;
pub mod tap;
