//! Two clouds over one database, on one core: one remembers profiles, the other reads them each time.

use crate::cloud::Cloud;
use crate::cores;
use crate::db::Db;
use crate::http;
use crate::site::Site;
use anyhow::{Context as _, Result};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

/// Each has its log beside the other's.
pub struct Gym {
    pub cached: Cloud,
    pub uncached: Cloud,
    /// Of somebody with a whole profile.
    pub token: String,
    pub folder: TempDir,
    _other_folder: TempDir,
    /// Dropped last: everybody else uses it.
    pub db: Db,
}

/// Of whoever has an account.
pub const EMAIL: &str = "ada@example.com";

impl Gym {
    pub async fn open() -> Result<Self> {
        allow_files()?;
        let db = Db::durable().await?;
        let pool = db.pool().await?;
        bind_postgres(&pool).await?;
        Site::open(&pool).await?;
        let (folder, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let mut cached = cloud(&db, &folder)?;
        let mut uncached = cloud(&db, &other)?;
        uncached.env("GYMWIRE_AUTH__REMEMBERED_PROFILES", &0);
        cached.start().await?;
        uncached.start().await?;
        let token = register(&cached.url()).await?;
        Ok(Self { cached, uncached, token, folder, _other_folder: other, db })
    }

    /// Of the cloud that remembers.
    pub fn peak_mb(&mut self) -> Result<f64> {
        let bytes = self.cached.process()?.peak_rss_bytes()?;
        Ok(f64::from(u32::try_from(bytes / 1_000)?) / 1_000.0)
    }

    pub async fn close(mut self) -> Result<()> {
        self.cached.stop().await?;
        self.uncached.stop().await
    }
}

/// As it is by default, but for limits that would end the measurement, and for the log, which Fastify has none of.
pub fn cloud(db: &Db, folder: &TempDir) -> Result<Cloud> {
    let mut cloud = Cloud::over(&db.url(), folder.path())?;
    cloud.bind(cores::FIRST);
    cloud.env("GYMWIRE_HTTP__MAX_CONNECTIONS", &10_200);
    cloud.env("GYMWIRE_AUTH__ACCESS_TOKEN_S", &86_400);
    cloud.env("LOG_LEVEL", "warn");
    for unlimited in [
        "GYMWIRE_LIMITS__ANONYMOUS",
        "GYMWIRE_LIMITS__USER",
        "GYMWIRE_AUTH__MAX_FAILURES",
        "GYMWIRE_AUTH__MAX_FAILURES_PER_ACCOUNT",
        "GYMWIRE_AUTH__MAX_FAILURES_PER_ADDRESS",
    ] {
        cloud.env(unlimited, &1_000_000_000);
    }
    Ok(cloud)
}

/// An access token of somebody new with a whole profile.
async fn register(url: &str) -> Result<String> {
    let profile = json!({"first_name": "Ada", "last_name": "Lovelace", "date_of_birth": "1990-12-10",
        "bio": "Trains in the morning.", "location": "London", "time_zone": "Europe/London"});
    let new = json!({"email": EMAIL, "name": "Ada Lovelace", "profile": profile,
        "password": "marble otter sings 7 tangos"});
    let answer =
        http::client().post(format!("{url}/api/v1/auth/register")).json(&new).send().await?;
    let answer: Value = answer.error_for_status()?.json().await?;
    Ok(answer["access_token"].as_str().context("no token")?.to_owned())
}

/// Postgres goes where the clients are, and what it starts from now on too.
async fn bind_postgres(pool: &sqlx::PgPool) -> Result<()> {
    let folder: String = sqlx::query_scalar("SHOW data_directory").fetch_one(pool).await?;
    let file = fs::read_to_string(format!("{folder}/postmaster.pid"))?;
    let pid = file.lines().next().context("no pid")?.parse()?;
    cores::bind(pid, &cores::last().to_string()).await
}

/// A connection is a file, here as in the cloud.
fn allow_files() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}
