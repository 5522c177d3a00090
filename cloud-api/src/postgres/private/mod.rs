//! A private Postgres server for development, demos and tests: one folder, one server, a unix socket.
//! Adopts the running server of its folder, and stops only what it started and nobody else still uses.

mod account;
mod programs;
mod socket;

use account::Account;
use anyhow::{Context, bail, ensure};
use programs::Programs;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tokio::process::Command;

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
    programs: Programs,
    account: Account,
    data: PathBuf,
    socket: PathBuf,
    is_ours: bool,
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
            ("synchronous_commit", sync),
            ("full_page_writes", sync),
            ("max_connections", "200"),
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
        account.own_folder(&folder)?;
        let data = folder.join("data");
        let programs = Programs::find(&data)?;
        let users = lock_file(&folder.join("users.lock"))?;
        let starting = lock_file(&folder.join("start.lock"))?;
        let _starting = lock(starting, FlockOperation::LockExclusive).await?;
        let users = lock(users, FlockOperation::LockShared).await?;

        let mut server =
            Self { programs, account, socket: PathBuf::new(), is_ours: false, users, data };
        server.programs.ensure_version(&server.data)?;
        if !server.is_running().await? {
            server.socket = socket::folder(&folder, &server.account)?;
            server.create(&options).await?;
            server.launch(&options, &folder).await?;
            server.is_ours = true;
        }
        server.socket = socket::of_running(&server.data)?;
        server.create_database().await?;
        Ok(server)
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
        self.is_ours
    }

    /// Stops the server, if this process started it and no other process uses it.
    pub async fn stop(self) -> anyhow::Result<()> {
        let is_alone = || flock(&self.users, FlockOperation::NonBlockingLockExclusive).is_ok();
        if !self.is_ours || !is_alone() {
            return Ok(());
        }
        let mut command = self.pg_ctl("stop");
        command.args(["-m", "fast", "-w", "-t", "60"]);
        run(command, "pg_ctl stop").await.map(drop)
    }

    async fn is_running(&self) -> anyhow::Result<bool> {
        if !self.data.join("postmaster.pid").exists() {
            return Ok(false);
        }
        let status = self.pg_ctl("status").output().await.context("pg_ctl cannot be run")?;
        Ok(status.status.success())
    }

    /// Makes the files beside their place and moves them there, so that an interrupted attempt leaves nothing.
    async fn create(&self, options: &Options) -> anyhow::Result<()> {
        if self.data.join("PG_VERSION").exists() {
            return Ok(());
        }
        let half_made = self.data.with_extension("new");
        if half_made.exists() {
            fs::remove_dir_all(&half_made)?;
        }
        let mut initdb = self.account.command(&self.programs.initdb);
        initdb
            .arg("-D")
            .arg(&half_made)
            .args(["--username", DATABASE, "--encoding", "UTF8", "--locale", "C.UTF-8"])
            .args(["--auth-local", "trust", "--auth-host", "reject", "--no-instructions"]);
        if !options.fsync {
            initdb.arg("--no-sync");
        }
        run(initdb, "initdb").await?;
        fs::rename(&half_made, &self.data)
            .with_context(|| format!("{} cannot be put in its place", self.data.display()))
    }

    async fn launch(&self, options: &Options, folder: &Path) -> anyhow::Result<()> {
        let settings = self.data.join("postgresql.conf");
        fs::write(&settings, options.server_settings(&self.socket))
            .with_context(|| format!("{} cannot be written", settings.display()))?;
        let log = folder.join("postgres.log");
        self.account.own_file(&log)?;
        let logged_before = fs::metadata(&log).map_or(0, |file| file.len());
        let mut command = self.pg_ctl("start");
        command.args(["-w", "-t", "60", "-l"]).arg(&log);
        run(command, "pg_ctl start").await.with_context(|| {
            format!(
                "the private Postgres in {} does not start:\n{}",
                folder.display(),
                tail(&log, logged_before)
            )
        })?;
        Ok(())
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

    fn pg_ctl(&self, what: &str) -> Command {
        let mut command = self.account.command(&self.programs.pg_ctl);
        command.arg(what).arg("-D").arg(&self.data);
        command
    }
}

/// Name of the database and of its owner.
const DATABASE: &str = "gymwire";

async fn run(mut command: Command, what: &str) -> anyhow::Result<()> {
    let output = command.output().await.with_context(|| format!("{what} cannot be run"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    ensure!(!said.contains(NO_SPACE), "{what}: the disk is full; free some space and start again");
    bail!("{what} failed ({}):\n{}", output.status, said.trim());
}

const NO_SPACE: &str = "No space left on device";

/// The end of what the server has logged since `start`.
fn tail(log: &Path, start: u64) -> String {
    let text = fs::read(log).unwrap_or_default();
    let new = text.get(usize::try_from(start).unwrap_or(0)..).unwrap_or_default();
    let new = String::from_utf8_lossy(new);
    let lines: Vec<_> = new.lines().collect();
    let full = if new.contains(NO_SPACE) { "the disk is full\n" } else { "" };
    format!("{full}{}", lines[lines.len().saturating_sub(10)..].join("\n"))
}

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
