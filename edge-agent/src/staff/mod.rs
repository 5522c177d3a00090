//! The web page of the branch's staff: HTTPS on the branch network, with accounts of its own, without the internet.
//!
//! One folder per page: handlers, view model, and the template of the same name in `templates/`. `router.rs` is the
//! table of all routes with what each needs; nothing is served that is not in it.

pub mod accounts;
mod app;
mod assets;
mod config;
mod guard;
mod layers;
mod layout;
mod live;
mod notes;
mod plain;
mod reply;
mod router;
mod server;
mod times;

mod sign_in;
mod taps;

mod recent;

pub use app::{Parts, Staff};
pub use config::Config;
pub use recent::follow;
pub use server::Server;

#[cfg(test)]
mod tests;
