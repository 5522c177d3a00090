//! The section `[mqtt]` of the configuration.

use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Where the front door listens, and its limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// MQTT without TLS. Anything but loopback sends secrets over the network in the clear.
    pub listen: SocketAddr,
    /// MQTT over TLS.
    pub tls_listen: SocketAddr,
    /// Names and addresses for the server certificate, beside the host name, `.local` and the local addresses.
    pub server_names: Vec<String>,
    /// Devices that are logged in at the same time.
    pub max_connections: usize,
    /// Connections that have not logged in yet; the oldest makes way for the next.
    pub max_waiting: usize,
    /// The same for one address.
    pub max_waiting_per_address: usize,
    /// Time for the TLS handshake, and again for CONNECT.
    pub login_timeout_ms: u64,
    /// Messages of a device that wait for their ack; more are refused (MQTT 5) or not read (3.1.1).
    pub max_unacked: u16,
    /// Messages a second of one device on average; more wait in the network.
    pub max_messages_per_s: u32,
    /// Messages to a device that it may leave without an ack.
    pub max_outgoing: u16,
    /// A device that does not take what it is sent for so long is disconnected.
    pub stall_timeout_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 1883)),
            tls_listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8883)),
            server_names: Vec::new(),
            max_connections: 512,
            max_waiting: 512,
            max_waiting_per_address: 256,
            login_timeout_ms: 5_000,
            max_unacked: 1_000,
            max_messages_per_s: 10_000,
            max_outgoing: 100,
            stall_timeout_s: 30,
        }
    }
}

impl Config {
    pub fn login_timeout(&self) -> Duration {
        Duration::from_millis(self.login_timeout_ms)
    }

    pub fn stall_timeout(&self) -> Duration {
        Duration::from_secs(self.stall_timeout_s)
    }
}
