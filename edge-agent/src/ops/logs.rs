//! Log lines on standard error, as text or JSON. They never name a member.

use crate::config::{Agent, ConfigError, LogFormat};
use anyhow::Result;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging.
pub fn start(config: &Agent) -> Result<()> {
    check(&config.log)?;
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

/// One word is a level; `edge_agent::uplink=debug` and lists of such are for whoever looks for something.
fn check(log: &str) -> Result<(), ConfigError> {
    let is_word = log.chars().all(|c| c.is_ascii_alphanumeric());
    if is_word && log.parse::<LevelFilter>().is_err() {
        return Err(ConfigError(format!(
            "configuration key `agent.log`: {log:?} is no level, those are error, warn, info, debug and trace"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_refused_and_directives_are_not() {
        let error = check("verbose").unwrap_err().to_string();

        assert!(error.contains("agent.log") && error.contains("verbose"), "{error}");
        assert!(check("debug").is_ok() && check("WARN").is_ok() && check("off").is_ok());
        assert!(check("info,edge_agent::uplink=debug").is_ok());
    }
}
