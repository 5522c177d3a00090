//! A private Postgres server for development, demos and tests: one folder, one server, a unix socket.
//! Adopts the running server of its folder, and stops only what it started and nobody else still uses.

mod account;
mod cluster;
mod programs;
mod socket;

use account::Account;
use anyhow::Context;
use cluster::Cluster;
use programs::Programs;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// What server to run.
#[derive(Debug, Clone)]
pub struct Options {
    folder: PathBuf,
    fsync: bool,
    settings: Vec<(String, String)>,
}

/// A running private server.
#[derive(Debug)]
pub struct Private {
    cluster: Cluster,
    socket: PathBuf,
    is_ours: AtomicBool,
    /// Held shared by everybody who uses the server.
    users: File,
}

impl Options {
    /// A server whose files are all in `folder`, which it may have for itself. As root the folder must be
    /// reachable by user `postgres`, see [`data_folder`].
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), fsync: true, settings: Vec::new() }
    }

    /// Whether commits wait for the disk. Off, a power cut destroys the data: for tests only.
    #[must_use]
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.fsync = fsync;
        self
    }

    /// Adds a server setting, as in `postgresql.conf`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    fn server_settings(&self, socket: &Path) -> String {
        let sync = if self.fsync { "on" } else { "off" };
        let socket = socket.to_string_lossy();
        let fixed = [
            ("listen_addresses", ""),
            ("unix_socket_directories", socket.as_ref()),
            ("unix_socket_permissions", "0700"),
            ("fsync", sync),
            // Without fsync it costs nothing, and what was committed outlives a kill of the server.
            ("synchronous_commit", "on"),
            ("full_page_writes", sync),
            // Below its own folder: a server that is killed leaves nothing behind in /dev/shm.
            ("dynamic_shared_memory_type", "mmap"),
            ("max_connections", "200"),
            // The service may make no memory executable (systemd/gymwire-cloud.service).
            ("jit", "off"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
        ];
        let own = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let line =
            |(name, value): (&str, &str)| format!("{name} = '{}'\n", value.replace('\'', "''"));
        fixed.into_iter().chain(own).map(line).collect()
    }
}

/// Where the server of a development folder keeps its data: in the folder itself, but for root, whose server
/// runs as another user who may not reach it.
pub fn data_folder(development: &Path) -> anyhow::Result<PathBuf> {
    if !rustix::process::geteuid().is_root() {
        return Ok(development.to_owned());
    }
    let absolute = std::path::absolute(development)?;
    let digest = Sha256::digest(absolute.as_os_str().as_encoded_bytes());
    Ok(Path::new("/var/lib/gymwire").join(format!("postgres-{}", hex::encode(&digest[..6]))))
}

impl Private {
    /// Starts the server of the folder, making its files if there are none, or adopts the one that runs.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let account = Account::for_server()?;
        let folder = std::path::absolute(&options.folder)?;
        let data = folder.join("data");
        let programs = Programs::find(&data)?;
        account.own_folder(&folder)?;
        let users = lock_file(&folder.join("users.lock"))?;
        let starting = lock_file(&folder.join("start.lock"))?;
        let _starting = lock(starting, FlockOperation::LockExclusive).await?;
        let users = lock(users, FlockOperation::LockShared).await?;

        programs.ensure_version(&data)?;
        let cluster = Cluster { programs, account, folder, data, options };
        let is_ours = !cluster.is_running();
        if is_ours {
            cluster.create().await?;
            cluster.launch().await?;
        }
        let socket = socket::of_running(&cluster.data)?;
        let server = Self { cluster, socket, is_ours: is_ours.into(), users };
        server.create_database().await?;
        Ok(server)
    }

    /// Starts the server again when it has died, until `stop`. Without it a crash would outlast this process.
    pub async fn watch(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(WATCH_EVERY) => {}
            }
            if !self.cluster.is_running()
                && let Err(error) = self.revive().await
            {
                tracing::error!(error = format!("{error:#}"), "the private Postgres stays down");
            }
        }
    }

    async fn revive(&self) -> anyhow::Result<()> {
        let starting = lock_file(&self.cluster.folder.join("start.lock"))?;
        let _starting = lock(starting, FlockOperation::LockExclusive).await?;
        if !self.cluster.is_running() {
            self.cluster.launch().await?;
            self.is_ours.store(true, Ordering::Relaxed);
            tracing::warn!("the private Postgres had died and was started again");
        }
        Ok(())
    }

    /// How to reach its database `gymwire`.
    pub fn connect_options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket)
            .username(DATABASE)
            .database(DATABASE)
    }

    /// Whether this process started the server, rather than finding it running.
    pub fn is_ours(&self) -> bool {
        self.is_ours.load(Ordering::Relaxed)
    }

    /// Stops the server, if this process started it and no other process uses it.
    pub async fn stop(self) -> anyhow::Result<()> {
        let is_alone = || flock(&self.users, FlockOperation::NonBlockingLockExclusive).is_ok();
        if self.is_ours() && is_alone() { self.cluster.stop().await } else { Ok(()) }
    }

    async fn create_database(&self) -> anyhow::Result<()> {
        let maintenance = self.connect_options().database("postgres");
        let mut db = maintenance.connect().await.context("the private Postgres does not answer")?;
        let known = sqlx::query("SELECT count(*) AS n FROM pg_database WHERE datname = 'gymwire'")
            .fetch_one(&mut db)
            .await?;
        if known.try_get::<i64, _>("n")? == 0 {
            sqlx::query("CREATE DATABASE gymwire").execute(&mut db).await?;
        }
        db.close().await?;
        Ok(())
    }
}

const WATCH_EVERY: Duration = Duration::from_millis(250);

/// Name of the database and of its owner.
const DATABASE: &str = "gymwire";

fn lock_file(path: &Path) -> anyhow::Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .with_context(|| format!("{} cannot be opened", path.display()))
}

async fn lock(file: File, how: FlockOperation) -> anyhow::Result<File> {
    tokio::task::spawn_blocking(move || {
        flock(&file, how)?;
        anyhow::Ok(file)
    })
    .await?
}
