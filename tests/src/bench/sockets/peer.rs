//! `ws` and Socket.IO on Node. Their packages are fetched once into a cache outside of the tree.

use crate::bench::fastify;
use crate::process::Process;
use crate::{cores, http, ports, wait};
use anyhow::{Context as _, Result};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const PACKAGES: &str = include_str!("package.json");
const SERVER: &str = include_str!("server.mjs");
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running one.
#[derive(Debug)]
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    /// To see what it costs.
    pub process: Process,
}

impl Peer {
    /// Starts `ws` or `socket.io` on a core of its own.
    pub async fn start(name: &str, log: &Path) -> Result<Self> {
        let folder = fastify::installed("sockets", PACKAGES, SERVER).await?;
        let address = ports::free()?;
        let env = [
            ("NODE_ENV", "production".to_owned()),
            ("PORT", address.port().to_string()),
            ("PEER", name.to_owned()),
        ];
        let (core, server) = (cores::FIRST.to_string(), folder.join("server.mjs"));
        let arguments = ["--cpu-list", &core, "node", server.to_str().context("a path")?];
        let mut process = Process::start_other("taskset".as_ref(), arguments, &env, log)?;
        wait::until_true("the peer listens", START_LIMIT, || {
            let alive = process.ensure_alive();
            async move {
                alive?;
                Ok(http::client().post(format!("http://{address}/tell")).send().await.is_ok())
            }
        })
        .await
        .with_context(|| process.tail())?;
        Ok(Self { address, process })
    }

    /// Tells all who listen.
    pub async fn tell(&self, text: &str) -> Result<()> {
        let url = format!("http://{}/tell", self.address);
        http::client().post(url).body(text.to_owned()).send().await?.error_for_status()?;
        Ok(())
    }
}
