//! Configuration: a TOML file, over it the environment, over that flags. A key nobody knows is refused by name.

use crate::front_door;
use crate::journal::Limits;
use crate::staff;
use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Format as _, Serialized, Toml};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// All keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The agent itself.
    pub agent: Agent,
    /// The way to the cloud.
    pub cloud: Cloud,
    /// Where devices connect, and their limits.
    pub mqtt: front_door::Config,
    /// What the journal may use.
    pub journal: Limits,
    /// The page of the branch's staff.
    pub staff: staff::Config,
    /// Health and metrics.
    pub ops: Ops,
    /// Newer releases.
    pub update: Update,
}

/// `[agent]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Agent {
    /// Folder of everything the agent keeps.
    pub state_dir: PathBuf,
    /// What to log: a level, or `tracing` directives.
    pub log: String,
    /// How to log.
    pub log_format: LogFormat,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            state_dir: default_state_dir(),
            log: "info".to_owned(),
            log_format: LogFormat::default(),
        }
    }
}

/// Shape of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// `[cloud]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cloud {
    /// Base URL, instead of the one the edge was enrolled at.
    pub url: Option<String>,
    /// HTTP proxy, instead of those of the environment.
    pub proxy: Option<String>,
    /// Certificates (PEM) to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// Samples and statuses go up at least this often; other events go at once.
    pub telemetry_interval_ms: u64,
}

impl Default for Cloud {
    fn default() -> Self {
        Self { url: None, proxy: None, ca_file: None, telemetry_interval_ms: 30_000 }
    }
}

impl Cloud {
    /// Samples go up at least this often.
    pub fn telemetry_interval(&self) -> Duration {
        Duration::from_millis(self.telemetry_interval_ms.max(MIN_TELEMETRY_INTERVAL_MS))
    }
}

/// `[ops]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ops {
    /// Address of health and metrics.
    pub listen: SocketAddr,
}

impl Default for Ops {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9090)) }
    }
}

/// `[update]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Update {
    /// File with the public keys of the makers whose releases are trusted.
    pub keys: PathBuf,
    /// The signed manifest of the newest release.
    pub url: Option<String>,
    /// A release that is new has this long to be healthy.
    pub window_s: u32,
    /// It is good when it has been healthy for this long.
    pub settle_s: u32,
}

impl Default for Update {
    fn default() -> Self {
        let keys = Path::new(SYSTEM_FOLDER).join("release-keys");
        Self { keys, url: None, window_s: 300, settle_s: 30 }
    }
}

/// Keys given on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The file to read instead of the usual one.
    pub config: Option<PathBuf>,
    /// `agent.state_dir`
    pub state_dir: Option<PathBuf>,
    /// `agent.log`
    pub log: Option<String>,
}

/// A configuration that cannot be used; says which key.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

const MIN_TELEMETRY_INTERVAL_MS: u64 = 20;
const SYSTEM_FOLDER: &str = "/etc/gymwire";
const SYSTEM_STATE: &str = "/var/lib/gymwire";
const SECTIONS: [&str; 7] = ["agent", "cloud", "mqtt", "journal", "staff", "ops", "update"];

impl Config {
    /// Reads file, environment and flags.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let mut figment = Figment::new();
        if let Some(file) = config_file(flags)? {
            figment = figment.merge(Toml::file_exact(file));
        }
        figment = figment.merge(environment());
        if let Some(state_dir) = &flags.state_dir {
            figment = figment.merge(Serialized::default("agent.state_dir", state_dir));
        }
        if let Some(log) = &flags.log {
            figment = figment.merge(Serialized::default("agent.log", log));
        }
        figment.extract().map_err(|error| ConfigError(describe(&error)))
    }
}

fn config_file(flags: &Flags) -> Result<Option<PathBuf>, ConfigError> {
    match &flags.config {
        Some(file) if file.is_dir() => {
            Err(ConfigError(format!("--config: {} is a folder, not a file", file.display())))
        }
        Some(file) if !file.is_file() => {
            Err(ConfigError(format!("--config: there is no file {}", file.display())))
        }
        Some(file) => Ok(Some(file.clone())),
        None => {
            let usual = Path::new(SYSTEM_FOLDER).join("edge-agent.toml");
            Ok(usual.is_file().then_some(usual))
        }
    }
}

/// Only our sections: other programs of Gymwire may find theirs in the same environment.
fn environment() -> Env {
    let is_ours = |key: &figment::value::UncasedStr| {
        key.as_str().split_once("__").is_some_and(|(section, _)| {
            SECTIONS.iter().any(|known| known.eq_ignore_ascii_case(section))
        })
    };
    Env::prefixed("GYMWIRE_").filter(is_ours).split("__")
}

/// On a Pi the package made the folders; in development everything stays below the working folder.
fn default_state_dir() -> PathBuf {
    if Path::new(SYSTEM_FOLDER).is_dir() && Path::new(SYSTEM_STATE).is_dir() {
        PathBuf::from(SYSTEM_STATE)
    } else {
        PathBuf::from(".gymwire/edge-agent")
    }
}

fn describe(error: &figment::Error) -> String {
    let mut path = error.path.clone();
    let what = match &error.kind {
        Kind::UnknownField(field, known) => {
            if path.last() != Some(field) {
                path.push(field.clone());
            }
            format!("is unknown here, known are {}", known.join(", "))
        }
        kind => format!("cannot be used: {kind}"),
    };
    let place = error.metadata.as_ref().map(|metadata| format!(" ({})", metadata.name));
    format!("configuration key `{}` {what}{}", path.join("."), place.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), toml).unwrap();
        Config::load(&Flags { config: Some(file.path().to_owned()), ..Flags::default() })
    }

    #[test]
    fn the_example_shows_the_defaults() {
        let example = include_str!("../../packaging/config/edge-agent.toml");

        assert_eq!(load(example).unwrap(), Config::default());
    }

    #[test]
    fn every_key_that_the_example_comments_out_exists() {
        let example = include_str!("../../packaging/config/edge-agent.toml");
        let all = example.replace("# state_dir", "state_dir").replace("# url", "url");
        let all = all.replace("# proxy =", "proxy =").replace("# ca_file", "ca_file");

        let config = load(&all).unwrap();

        assert_eq!(config.agent.state_dir, PathBuf::from("/var/lib/gymwire"));
        assert_eq!(config.cloud.url.as_deref(), Some("https://cloud.example"));
        assert!(config.cloud.proxy.is_some() && config.cloud.ca_file.is_some());
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = load("[mqtt]\nlistn = \"127.0.0.1:1\"").unwrap_err().to_string();

        assert!(error.contains("`mqtt.listn` is unknown"), "{error}");
    }

    #[test]
    fn a_wrong_value_is_refused_by_the_name_of_its_key() {
        let error = load("[ops]\nlisten = 9090").unwrap_err().to_string();

        assert!(error.contains("`ops.listen` cannot be used"), "{error}");
    }

    #[test]
    fn a_flag_overrides_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[agent]\nlog = \"warn\"\nstate_dir = \"/one\"").unwrap();
        let config = Some(file.path().to_owned());

        let state_dir = Some(PathBuf::from("/two"));
        let config = Config::load(&Flags { config, state_dir, log: None }).unwrap();

        assert_eq!(config.agent.state_dir, PathBuf::from("/two"));
        assert_eq!(config.agent.log, "warn");
    }

    #[test]
    fn a_file_that_is_not_there_is_said_so() {
        let flags = Flags { config: Some(PathBuf::from("/no/such.toml")), ..Flags::default() };

        assert!(Config::load(&flags).unwrap_err().to_string().contains("/no/such.toml"));
    }
}
