//! Free ports for programs that are restarted on the same address.

use anyhow::{Context as _, Result};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A port of loopback that nobody uses, below the range that the kernel gives to outgoing connections, so that
/// it is still free when its program is started again.
pub fn free() -> Result<SocketAddr> {
    (0..100)
        .map(|_| {
            let random = uuid::Uuid::now_v7().as_u64_pair().1 % 20_000;
            SocketAddr::from((Ipv4Addr::LOCALHOST, 12_000 + u16::try_from(random).unwrap_or(0)))
        })
        .find(|address| TcpListener::bind(address).is_ok())
        .context("no free port on loopback")
}
