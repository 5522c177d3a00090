//! A Redis server of one test's own, which it may stop and start again.

use crate::{ports, wait};
use anyhow::{Context as _, Result};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// How long a start may take.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A server that keeps nothing on disk.
#[derive(Debug)]
pub struct Redis {
    address: SocketAddr,
    process: Option<Child>,
}

impl Redis {
    /// Starts one.
    pub async fn start() -> Result<Self> {
        let mut redis = Self { address: ports::free()?, process: None };
        redis.start_again().await?;
        Ok(redis)
    }

    /// For `redis.url`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// `kill -9`.
    pub async fn stop(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill().await?;
        }
        Ok(())
    }

    /// At the same port.
    pub async fn start_again(&mut self) -> Result<()> {
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(self.address.port().to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("redis-server: make setup installs it")?;
        self.process = Some(process);
        let address = self.address;
        wait::until("redis listens", START_LIMIT, || async {
            Ok(Some(TcpStream::connect(address).await?))
        })
        .await?;
        Ok(())
    }
}
