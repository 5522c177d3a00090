//! Log lines: JSON for machines, text for developers; to stderr, since stdout is for results.

use crate::config::{Config, ConfigError, Environment, LogFormat};
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// Installs the log of the process.
pub fn install(config: &Config) -> Result<(), ConfigError> {
    let level = config.log.level.to_lowercase();
    // Postgres remarks, at each start, that the table of migrations exists already.
    let filter = EnvFilter::try_new(format!("sqlx::postgres::notice=warn,{level}"))
        .map_err(|error| ConfigError::new(format!("log.level: {error}")))?;
    let is_json = match config.log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => config.service.environment != Environment::Development,
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    let installed = if is_json {
        lines.json().flatten_event(true).finish().try_init()
    } else {
        lines.finish().try_init()
    };
    installed.map_err(|error| ConfigError::new(format!("log: {error}")))
}
