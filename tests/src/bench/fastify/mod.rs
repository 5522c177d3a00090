//! Fastify on Node, the peer of the accounts: the same profile, tokens and database. Its packages are fetched once into
//! a cache outside of the tree.

use crate::process::Process;
use crate::{cores, http, ports, wait};
use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgConnectOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const PACKAGES: &str = include_str!("package.json");
const SERVER: &str = include_str!("server.mjs");
/// As many connections to the database as the cloud has by default.
const POOL: u32 = 20;
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running one.
#[derive(Debug)]
pub struct Fastify {
    /// Where it listens.
    pub address: SocketAddr,
    process: Process,
}

impl Fastify {
    /// Starts one on a core of its own, over a database and with the public keys of a cloud.
    pub async fn start(db: &PgConnectOptions, cloud_url: &str, log: &Path) -> Result<Self> {
        let folder = installed("fastify", PACKAGES, SERVER).await?;
        let address = ports::free()?;
        let socket = db.get_socket().context("the database has a unix socket")?;
        let env = [
            ("NODE_ENV", "production".to_owned()),
            ("PORT", address.port().to_string()),
            ("POOL", POOL.to_string()),
            ("JWKS_URL", format!("{cloud_url}/.well-known/jwks.json")),
            ("PGHOST", socket.display().to_string()),
            ("PGUSER", db.get_username().to_owned()),
            ("PGDATABASE", db.get_database().unwrap_or_default().to_owned()),
        ];
        let core = cores::FIRST.to_string();
        let server = folder.join("server.mjs");
        let arguments = ["--cpu-list", &core, "node", server.to_str().context("a path")?];
        let mut process = Process::start_other("taskset".as_ref(), arguments, &env, log)?;
        wait::until_true("Fastify listens", START_LIMIT, || {
            let alive = process.ensure_alive();
            async move {
                alive?;
                Ok(http::client().get(format!("http://{address}/")).send().await.is_ok())
            }
        })
        .await
        .with_context(|| process.tail())?;
        Ok(Self { address, process })
    }

    /// Ends it.
    pub async fn stop(mut self) -> Result<()> {
        self.process.kill().await
    }
}

/// Which versions, in a few words.
pub async fn version() -> Result<String> {
    let node = Command::new("node").arg("--version").output().await.context("node is not there")?;
    let packages: serde_json::Value = serde_json::from_str(PACKAGES)?;
    let fastify = packages["dependencies"]["fastify"].as_str().unwrap_or_default();
    Ok(format!("Fastify {fastify} on Node {}", String::from_utf8_lossy(&node.stdout).trim()))
}

/// The folder with its packages, fetched if they are not there.
pub(super) async fn installed(name: &str, packages: &str, server: &str) -> Result<PathBuf> {
    let name = format!("bench-{name}-{}", hex::encode(&Sha256::digest(packages)[..6]));
    let folder = cache()?.join("gymwire").join(name);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("server.mjs"), server)?;
    if folder.join("installed").exists() {
        return Ok(folder);
    }
    std::fs::write(folder.join("package.json"), packages)?;
    let installed = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .await
        .context("npm is not there; make setup installs it")?;
    ensure!(
        installed.status.success(),
        "npm cannot fetch the packages into {}; the measurement beside it needs the npm registry once: {}",
        folder.display(),
        String::from_utf8_lossy(&installed.stderr)
    );
    std::fs::write(folder.join("installed"), "")?;
    Ok(folder)
}

fn cache() -> Result<PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    named.filter(|path| path.is_absolute()).or_else(home).context("HOME is not set")
}
