//! Log lines on standard error, as text or JSON. They never name a member.

use crate::config::{Agent, ConfigError, LogFormat};
use anyhow::Result;
use tracing_subscriber::EnvFilter;

/// Starts logging.
pub fn start(config: &Agent) -> Result<()> {
    // The router enters spans of level ERROR for every message, which costs more than passing it on; that it has
    // died is noticed by the fan-out.
    let quiet = format!("{},rumqttd=off", config.log);
    let filter = EnvFilter::try_new(quiet)
        .map_err(|error| ConfigError(format!("configuration key `agent.log`: {error}")))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.log_format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}
