//! The way in for every event of a branch: MQTT with our own listeners, TLS, login, rights and limits. A message is
//! acked after the journal has committed it; what subscribers get goes through rumqttd's router, behind all of that.

mod acl;
mod challenge;
mod codec;
mod config;
mod connection;
mod counters;
mod door;
mod fan_out;
mod greet;
mod intake;
mod limits;
mod listener;
mod login;
mod outbox;
mod raw;
mod reader;
mod server;
mod sessions;
mod subscriber;
mod subscriptions;
pub mod tls;
mod urgent;
pub mod waiting_room;
mod writer;

pub use config::Config;
pub use server::{Inside, Publisher, Server};

#[cfg(test)]
mod tests;
