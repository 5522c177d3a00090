//! The command line.

mod admin;
mod logging;
mod seed;
mod serve;

use crate::clock::Clock;
use crate::config::{Config, ConfigError, Flags};
use crate::domains::accounts::Passwords;
use crate::domains::realtime;
use crate::openapi;
use crate::postgres::{self, Postgres};
use crate::router;
use crate::secrets::Secrets;
use anyhow::Context;
use clap::{Parser, Subcommand};
use sqlx::PgPool;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// The Gymwire cloud service.
#[derive(Debug, Parser)]
#[command(name = "cloud-api", version, about)]
pub struct Arguments {
    /// Configuration file (TOML).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Postgres to use; without one a private server is run.
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API and run the jobs.
    Serve {
        /// Address to listen on.
        #[arg(long, value_name = "ADDRESS")]
        bind: Option<SocketAddr>,
    },
    /// Run the jobs only.
    Work,
    /// Bring the database's schema up to date.
    Migrate,
    /// Print the API document (`OpenAPI`, JSON).
    Openapi,
    /// Print the document of the live messages (`AsyncAPI`, JSON).
    Asyncapi,
    /// Print the API as a Postman collection (JSON).
    Postman,
    /// Fill an empty database with a demo gym, and print everything needed to log in as anybody there.
    Seed(seed::Seed),
    /// Make organizations, branches, people and devices.
    #[command(subcommand)]
    Admin(admin::Admin),
}

impl Arguments {
    /// Does what was asked. Usage and configuration errors end with 2, others with 1.
    pub fn run(self) -> ExitCode {
        let result = runtime().and_then(|runtime| runtime.block_on(self.execute()));
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let is_usage = error.is::<ConfigError>();
                complain(&error);
                ExitCode::from(if is_usage { 2 } else { 1 })
            }
        }
    }

    async fn execute(self) -> anyhow::Result<()> {
        let mut flags =
            Flags { config: self.config, database_url: self.database_url, ..Flags::default() };
        match self.command {
            Command::Serve { bind } => {
                flags.bind = bind;
                serve::serve(load(flags)?).await
            }
            Command::Work => serve::work(load(flags)?).await,
            Command::Migrate => {
                let database = Database::open(load(flags)?).await?;
                database.close().await
            }
            Command::Seed(seed) => {
                let database = Database::open(load(flags)?).await?;
                let done = seed.run(&database).await;
                database.close().await.and(done)
            }
            Command::Admin(admin) => {
                let database = Database::open(load(flags)?).await?;
                let done = admin.run(&database).await;
                database.close().await.and(done)
            }
            Command::Postman => {
                let document = serde_json::to_value(router::document())?;
                print(&serde_json::to_string_pretty(&openapi::collection(&document))?)
            }
            Command::Asyncapi => print(&serde_json::to_string_pretty(&realtime::asyncapi())?),
            Command::Openapi => print(&router::document().to_pretty_json()?),
        }
    }
}

/// What commands that only touch the database need: its schema is up to date.
pub struct Database {
    postgres: Postgres,
    config: Config,
    clock: Clock,
}

impl Database {
    async fn open(config: Config) -> anyhow::Result<Self> {
        let postgres = open(&config).await?;
        if let Err(error) = postgres::migrate(&postgres.pool).await {
            postgres.close().await?;
            return Err(error);
        }
        Ok(Self { postgres, config, clock: Clock::system() })
    }

    async fn close(self) -> anyhow::Result<()> {
        self.postgres.close().await
    }

    fn pool(&self) -> &PgPool {
        &self.postgres.pool
    }

    fn secrets(&self) -> Secrets {
        Secrets::new(&self.config.service)
    }

    fn passwords(&self) -> anyhow::Result<Passwords> {
        Passwords::new(&self.config.auth)
    }
}

fn load(flags: Flags) -> anyhow::Result<Config> {
    let config = Config::load(flags)?;
    logging::install(&config)?;
    Ok(config)
}

async fn open(config: &Config) -> anyhow::Result<Postgres> {
    Postgres::open(&config.database, config.private_postgres_dir()).await
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no async runtime")
}

#[expect(clippy::print_stderr, reason = "logging may not be set up yet")]
fn complain(error: &anyhow::Error) {
    eprintln!("cloud-api: {error:#}");
}

/// Writes a line for people or scripts. A reader who went away is no error.
fn print(text: &str) -> anyhow::Result<()> {
    use std::io::{ErrorKind, Write};
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
