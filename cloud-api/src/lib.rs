//! The cloud service: edges bring what happened in their branches, members' apps ask for it.

pub mod app;
pub mod audit;
pub mod cache;
pub mod clock;
pub mod command;
pub mod config;
pub mod counters;
pub mod domains;
pub mod events;
pub mod http;
pub mod ids;
pub mod jobs;
pub mod keys;
pub mod openapi;
pub mod outside;
pub mod pages;
pub mod postgres;
pub mod router;
pub mod secrets;

pub use app::App;
pub use clock::Clock;
pub use config::Config;
pub use router::router;
pub use secrets::Secrets;
