//! The web page of the branch's staff: HTTPS on the branch network, with accounts of its own, without the internet.
//!
//! One folder per page: handlers, view model, and the template of the same name in `templates/`. `router.rs` is the
//! table of all routes with what each needs; nothing is served that is not in it.

pub mod accounts;
mod act;
mod app;
mod config;
mod guard;
mod layers;
mod layout;
mod live;
mod notes;
mod plain;
mod recent;
mod reply;
mod router;
mod server;
mod work;

mod devices;
mod enrolment;
mod first_start;
mod floor_page;
mod machines;
mod members;
mod settings;
mod sign_in;
mod sync;
mod taps;

pub use app::{Parts, Staff};
pub use config::Config;
pub use first_start::FirstStart;
pub use recent::follow;
pub use server::Server;

#[cfg(test)]
mod tests;
