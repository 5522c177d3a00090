//! What is outside of this service: each in a file of its own, with a stand-in for tests where it is needed.

pub mod files;
pub mod identity;
pub mod mail;
pub mod redis;
pub mod web;
