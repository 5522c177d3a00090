//! Edge agents: what they are told and what they report.

pub mod registry;

pub use registry::registry_changed;
