//! A Postgres database for each test, from one throwaway server on tmpfs that all test processes share.
//!
//! The server is started by the first test that needs it and left running for the others; `make test` stops it at
//! its end (`test-postgres stop`). A template with all migrations, named by their hash, is made once.

use crate::wait;
use anyhow::{Context as _, Result};
use cloud_api::postgres::private::{Options, Private};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool};
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A database of one test; dropped when this value goes away.
#[derive(Debug)]
pub struct Db {
    name: String,
    server: PgConnectOptions,
}

impl Db {
    /// A database with the whole schema and nothing in it.
    pub async fn new() -> Result<Self> {
        Self::on(options(&folder())).await
    }

    /// The same on a server whose commits wait for the disk, for measurements; [`stop_durable`] ends it.
    pub async fn durable() -> Result<Self> {
        Self::on(Options::new(durable_folder())).await
    }

    /// On a certain server.
    pub async fn on(options: Options) -> Result<Self> {
        let server = Private::start(options).await?.connect_options();
        let mut admin = server.clone().connect().await?;
        let template = template(&mut admin, &server).await?;
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        let copy = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
        sqlx::query(AssertSqlSafe(copy)).execute(&mut admin).await?;
        admin.close().await?;
        Ok(Self { name, server })
    }

    /// How to connect to it.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    /// How to connect to it, for `DATABASE_URL`.
    pub fn url(&self) -> String {
        url(&self.server, &self.name)
    }

    /// A pool of some connections.
    pub async fn pool(&self) -> Result<PgPool> {
        Ok(PgPoolOptions::new().max_connections(8).connect_with(self.connect_options()).await?)
    }
}

impl Drop for Db {
    /// On a thread with a runtime of its own, since the test's one may be ending.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || -> Result<()> {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
                let mut admin = server.connect().await?;
                let drop = format!("DROP DATABASE {name} WITH (FORCE)");
                sqlx::query(AssertSqlSafe(drop)).execute(&mut admin).await?;
                Ok(admin.close().await?)
            })
        });
        // A database that stays goes away with the server.
        let _ = dropped.join();
    }
}

/// `DATABASE_URL` of a database on a server that listens on a unix socket.
pub fn url(server: &PgConnectOptions, database: &str) -> String {
    let socket = server.get_socket().expect("the private server has a unix socket");
    format!("postgres:///{database}?host={}&user={}", socket.display(), server.get_username())
}

/// Stops the shared server and removes its files.
pub async fn stop_shared() -> Result<()> {
    stop(&folder()).await
}

/// Stops the server of [`Db::durable`] and removes its files.
pub async fn stop_durable() -> Result<()> {
    stop(&durable_folder()).await
}

/// Stops the private server of a folder, whoever started it, and removes its files.
pub async fn stop(folder: &Path) -> Result<()> {
    let pid_file = folder.join("data/postmaster.pid");
    if let Ok(text) = fs::read_to_string(&pid_file) {
        let pid = text.lines().next().and_then(|line| line.parse().ok()).and_then(Pid::from_raw);
        // SIGINT: end at once, roll back what runs.
        if kill_process(pid.context("postmaster.pid has no pid")?, Signal::INT).is_ok() {
            wait::until_true("Postgres stopped", Duration::from_secs(30), || {
                let stopped = !pid_file.exists();
                async move { Ok(stopped) }
            })
            .await?;
        }
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// Settings of a server whose data nobody will miss.
pub fn options(folder: &Path) -> Options {
    Options::new(folder).fsync(false).setting("autovacuum", "off").setting("max_wal_size", "256MB")
}

/// Name of the database that has all migrations; made under a lock, and put in place by renaming.
async fn template(admin: &mut PgConnection, server: &PgConnectOptions) -> Result<String> {
    let mut hash = DefaultHasher::new();
    for migration in cloud_api::postgres::MIGRATIONS.iter() {
        (migration.version, &migration.checksum).hash(&mut hash);
    }
    let name = format!("template_{:016x}", hash.finish());
    sqlx::query("SELECT pg_advisory_lock(20261120)").execute(&mut *admin).await?;
    let known: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(&name)
            .fetch_one(&mut *admin)
            .await?;
    if !known {
        for statement in ["DROP DATABASE IF EXISTS unfinished", "CREATE DATABASE unfinished"] {
            sqlx::query(statement).execute(&mut *admin).await?;
        }
        let mut unfinished = server.clone().database("unfinished").connect().await?;
        cloud_api::postgres::MIGRATIONS.run(&mut unfinished).await?;
        unfinished.close().await?;
        let finish = format!("ALTER DATABASE unfinished RENAME TO {name}");
        sqlx::query(AssertSqlSafe(finish)).execute(&mut *admin).await?;
    }
    sqlx::query("SELECT pg_advisory_unlock(20261120)").execute(&mut *admin).await?;
    Ok(name)
}

/// Where the shared server of this checkout lives.
fn folder() -> PathBuf {
    below("tests")
}

/// On a disk, where the user of the server may go.
fn durable_folder() -> PathBuf {
    named(Path::new("/var/tmp"), "bench")
}

/// A folder for this user and checkout: in memory, if there is a tmpfs.
pub fn below(what: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { named(memory, what) } else { named(&std::env::temp_dir(), what) }
}

fn named(base: &Path, what: &str) -> PathBuf {
    let mut hash = DefaultHasher::new();
    env!("CARGO_MANIFEST_DIR").hash(&mut hash);
    let user = rustix::process::geteuid().as_raw();
    base.join(format!("gymwire-{what}-{user}-{:016x}", hash.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_test_has_a_database_with_the_whole_schema() -> Result<()> {
        let (one, other) = (Db::new().await?, Db::new().await?);
        let insert =
            "INSERT INTO organizations VALUES (gen_random_uuid(), 'one', sha256(''), now())";

        sqlx::query(insert).execute(&one.pool().await?).await?;

        let in_other: i64 = sqlx::query_scalar("SELECT count(*) FROM organizations")
            .fetch_one(&other.pool().await?)
            .await?;
        assert_eq!(in_other, 0);
        Ok(())
    }
}
