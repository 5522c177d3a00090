//! The section `[staff]` of the configuration.

use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Where the staff page listens, and its limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address of the page (HTTPS with a certificate of the branch CA).
    pub listen: SocketAddr,
    /// Who does nothing for so long is signed out.
    pub idle_minutes: u64,
    /// Everybody signs in again after this long.
    pub session_hours: u64,
    /// Connections at the same time.
    pub max_connections: usize,
    /// The same for one address; the oldest makes way for the next.
    pub max_connections_per_address: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8090)),
            idle_minutes: 15,
            session_hours: 12,
            max_connections: 192,
            max_connections_per_address: 24,
        }
    }
}

impl Config {
    /// Who does nothing for so long is signed out.
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_minutes.clamp(1, 24 * 60) * 60)
    }

    /// Everybody signs in again after this long.
    pub fn session(&self) -> Duration {
        Duration::from_secs(self.session_hours.clamp(1, 7 * 24) * 3_600)
    }
}
