//! What edges and the cloud say to each other (`/edge/v1`), and what an edge's journal keeps.
//!
//! Everything binary starts with a version byte. Postcard is not self-describing: a message only ever
//! grows by a new version or a new enum variant at the end, and golden vectors guard the old ones.

pub mod batch;
pub mod changes;
pub mod commands;
pub mod enroll;
pub mod entry;
pub mod roster;
pub mod staff;
pub mod state;
mod wire;

pub use wire::WireError;
