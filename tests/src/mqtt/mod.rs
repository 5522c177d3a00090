//! A small, fast MQTT 3.1.1 client for load and for faults: it sees every ack, and does not hide a lost connection.
//!
//! Ordinary tests use rumqttc; this one exists to load a broker from few cores and to stop at the n-th ack.

mod connection;
mod load;
mod packets;
mod tls;

pub use connection::{Acked, Connection, Login, Received};
pub use load::{Flow, Pace};
pub use packets::Refused;
pub use tls::TlsDoor;
