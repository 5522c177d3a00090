//! The way in for every event of a branch: MQTT with our own listeners, TLS, login, rights and limits. A message is
//! acked after the journal has committed it; what subscribers get goes through rumqttd's router, behind all of that.

mod config;
pub mod tls;

pub use config::Config;
