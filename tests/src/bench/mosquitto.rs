//! Mosquitto with persistence, the peer: it acks before anything is on disk.

use crate::process::Process;
use crate::{ports, wait};
use anyhow::Result;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpStream;

/// Debian puts it where only root's path looks.
const PROGRAM: &str = "/usr/sbin/mosquitto";

/// A running broker.
#[derive(Debug)]
pub struct Mosquitto {
    /// Where it listens.
    pub address: SocketAddr,
    process: Process,
}

impl Mosquitto {
    /// Starts one with its files in `folder`, persistence on and everything else as it comes.
    pub async fn start(folder: &Path) -> Result<Self> {
        let address = ports::free()?;
        let config = folder.join("mosquitto.conf");
        let (ip, port, place) = (address.ip(), address.port(), folder.display());
        std::fs::write(
            &config,
            format!(
                "listener {port} {ip}\nallow_anonymous true\npersistence true\n\
                 persistence_location {place}/\nuser root\n"
            ),
        )?;
        let arguments = ["-c".as_ref(), config.as_os_str()];
        let mut process =
            Process::start_other(PROGRAM.as_ref(), arguments, &[], &folder.join("mosquitto.log"))?;
        wait::until_true("mosquitto listens", Duration::from_secs(5), || {
            let alive = process.ensure_alive();
            async move {
                alive?;
                Ok(TcpStream::connect(address).await.is_ok())
            }
        })
        .await?;
        Ok(Self { address, process })
    }

    /// Ends it.
    pub async fn stop(mut self) -> Result<()> {
        self.process.kill().await
    }
}
