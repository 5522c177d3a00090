//! The database: pool, migrations, and the private server that is run when no other is configured.

pub mod private;
mod reads;

pub use reads::Reads;

use crate::config::{ConfigError, Database};
use anyhow::{Context, anyhow};
use private::Private;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Every migration, in order; sqlx takes an advisory lock while it applies them.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// A pool, and the private server under it if this process uses one.
#[derive(Debug)]
pub struct Postgres {
    pub pool: PgPool,
    private: Option<Private>,
}

impl Postgres {
    /// Connects to the configured database, or starts (or adopts) the private server in `private_dir`.
    pub async fn open(config: &Database, private_dir: PathBuf) -> anyhow::Result<Self> {
        let private = match &config.url {
            Some(_) => None,
            None => Some(start_private(config, private_dir).await?),
        };
        let options = match (&config.url, &private) {
            (Some(url), _) => url.expose().parse().map_err(|error| {
                ConfigError::new(format!("database.url: is no Postgres URL: {error}"))
            })?,
            (None, Some(private)) => private.connect_options(),
            (None, None) => unreachable!("without a URL there is a private server"),
        };
        let pool = match connect(config, options.clone()).await {
            Ok(pool) => pool,
            Err(error) => return Err(explain(error, &options).await),
        };
        Ok(Self { pool, private })
    }

    /// Keeps the private server running, until `stop`.
    pub async fn watch(&self, stop: CancellationToken) {
        match &self.private {
            Some(private) => private.watch(stop).await,
            None => stop.cancelled().await,
        }
    }

    /// Closes the pool, then stops the private server if this process started it.
    pub async fn close(self) -> anyhow::Result<()> {
        self.pool.close().await;
        match self.private {
            Some(private) => private.stop().await,
            None => Ok(()),
        }
    }
}

/// A pool with the limits of the configuration.
pub async fn connect(config: &Database, options: PgConnectOptions) -> sqlx::Result<PgPool> {
    let timeout = format!("{}s", config.statement_timeout_s);
    let options = options.application_name("cloud-api").options([
        ("statement_timeout", timeout.as_str()),
        ("idle_in_transaction_session_timeout", "60s"),
        ("timezone", "UTC"),
    ]);
    PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(config.connect_timeout())
        .idle_timeout(config.idle_timeout())
        // A round trip more for every request that needs the database, unless only who was idle is asked.
        .test_before_acquire(false)
        .before_acquire(|connection, idle| {
            Box::pin(async move {
                if idle.idle_for >= DOUBTED_AFTER {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options)
        .await
}

/// A connection that was used a moment ago is taken to be there still.
const DOUBTED_AFTER: Duration = Duration::from_secs(1);

/// A pool that gave up only says that time was up; another try says why.
async fn explain(error: sqlx::Error, options: &PgConnectOptions) -> anyhow::Error {
    let cause = match error {
        sqlx::Error::PoolTimedOut => match timeout(ONE_TRY, options.connect()).await {
            Ok(Err(cause)) => cause,
            Ok(Ok(_)) | Err(_) => error,
        },
        error => error,
    };
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    anyhow!("no connection to the database at {place}: {cause}")
}

const ONE_TRY: Duration = Duration::from_secs(3);

/// Brings the schema up to date.
pub async fn migrate(pool: &PgPool) -> anyhow::Result<()> {
    let mut db = pool.acquire().await?;
    // A migration may rewrite a large table.
    sqlx::query("SET statement_timeout = 0").execute(&mut *db).await?;
    MIGRATIONS.run(&mut *db).await.context("the database's schema cannot be brought up to date")?;
    // The changed setting must not go back into the pool.
    db.close().await?;
    Ok(())
}

async fn start_private(config: &Database, folder: PathBuf) -> anyhow::Result<Private> {
    let folder = private::data_folder(&folder)?;
    Private::start(private::Options::new(folder).fsync(config.private_fsync)).await
}
