//! A cloud, a branch and its edge, with a link between them that can be disturbed.

use crate::chaos::ChaosLink;
use crate::cloud::Cloud;
use crate::db::Db;
use crate::edge::Edge;
use crate::ledger::{self, Ledger, Verdict};
use crate::mqtt::Login;
use crate::site::Site;
use crate::staff::Staff;
use crate::wait;
use anyhow::{Context as _, Result};
use sqlx::PgPool;
use std::time::Duration;
use tempfile::TempDir;

/// How long the edge may take to learn of its devices from the cloud.
const REGISTRY_LIMIT: Duration = Duration::from_secs(15);

/// Tests do not wait half a minute for the last samples.
const TELEMETRY_INTERVAL: &str = "GYMWIRE_CLOUD__TELEMETRY_INTERVAL_MS";

/// Everything, running.
#[derive(Debug)]
pub struct Scene {
    /// The edge.
    pub edge: Edge,
    /// Between edge and cloud.
    pub link: ChaosLink,
    /// The cloud.
    pub cloud: Cloud,
    /// The branch.
    pub site: Site,
    /// The cloud's database.
    pub pool: PgPool,
    /// Holds the logs.
    pub folder: TempDir,
    /// Dropped last: everybody else uses it.
    db: Db,
}

impl Scene {
    /// A cloud and an enrolled edge that does not run yet, so that it can be configured.
    pub async fn prepare() -> Result<Self> {
        Self::over(Db::new().await?).await
    }

    /// The same over a certain database.
    pub async fn over(db: Db) -> Result<Self> {
        Self::with(db, Edge::new()?).await
    }

    /// The same with a certain edge, which is not enrolled yet.
    pub async fn with(db: Db, edge: Edge) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut cloud = Cloud::over(&db.url(), folder.path())?;
        cloud.start().await?;
        let pool = db.pool().await?;
        let site = Site::open(&pool).await?;
        let link = ChaosLink::start(cloud.address()).await?;
        let mut edge = edge;
        edge.env(TELEMETRY_INTERVAL, &2_000);
        edge.enroll(&format!("http://{}", link.address()), &site.enroll_code().await?).await?;
        Ok(Self { edge, link, cloud, site, pool, folder, db })
    }

    /// The same with the edge running and these machines known to it; their logins.
    pub async fn with_machines(codes: &[String]) -> Result<(Self, Vec<Login>)> {
        Self::prepare().await?.run(codes).await
    }

    /// The same over a Postgres whose commits wait for the disk, with samples as seldom as in a branch.
    pub async fn durable(codes: &[String]) -> Result<(Self, Vec<Login>)> {
        let mut scene = Self::over(Db::durable().await?).await?;
        scene.edge.env(TELEMETRY_INTERVAL, &30_000);
        scene.run(codes).await
    }

    async fn run(self, codes: &[String]) -> Result<(Self, Vec<Login>)> {
        let mut scene = self;
        let logins = scene.site.machines(codes).await?;
        scene.edge.start().await?;
        if let Some(last) = logins.last() {
            known(&scene.edge, last).await?;
        }
        Ok((scene, logins))
    }

    /// Somebody at the desk of the branch, logged in.
    pub async fn staff(&self) -> Result<Staff> {
        let (email, password) = self.site.staff().await?;
        Staff::log_in(&self.cloud.url(), &email, &password).await
    }

    /// Somebody who runs the organization.
    pub async fn admin(&self) -> Result<Staff> {
        let (email, password) = self.site.staff().await?;
        sqlx::query("UPDATE users SET role = 'admin' WHERE email = $1")
            .bind(&email)
            .execute(&self.pool)
            .await?;
        Staff::log_in(&self.cloud.url(), &email, &password).await
    }

    /// How to reach the database.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Waits until everything that was acked is in the cloud, then compares id by id.
    pub async fn judge(&self, ledger: &Ledger, limit: Duration) -> Result<Verdict> {
        judge(&self.pool, ledger, limit).await
    }
}

/// Waits until everything that was acked is in a database, then compares id by id.
pub async fn judge(pool: &PgPool, ledger: &Ledger, limit: Duration) -> Result<Verdict> {
    // What is still missing then is told by the verdict.
    let _ = wait::until_true("nothing is missing", limit, || async {
        Ok(ledger.judge(&ledger::stored(pool).await?).missing.is_empty())
    })
    .await;
    Ok(ledger.judge(&ledger::stored(pool).await?))
}

/// Waits until a device may log in: the edge has learned of it.
pub async fn known(edge: &Edge, login: &Login) -> Result<()> {
    wait::until_true("the edge knows its devices", REGISTRY_LIMIT, || async {
        Ok(edge.connect(login).await?.close().await.is_ok())
    })
    .await
    .with_context(|| format!("log of the agent: {}", edge.log_text()))
}
