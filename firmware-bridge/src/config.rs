//! What can be set: TOML file, then environment (`GYMWIRE_<SECTION>__<KEY>`), then flags. Unknown keys are refused.

mod board;
mod claims;
mod csafe;
mod door;
mod keyboard;
mod nfc;

pub use board::BoardConfig;
pub use csafe::CsafeConfig;
pub use door::DoorConfig;
pub use keyboard::{KeyboardConfig, LayoutKey};
pub use nfc::{NfcConfig, NfcDriver, SunNameKeys};

use crate::queue::QueueConfig;
use anyhow::{Context, Result, bail};
use claims::Claims;
use figment::Figment;
use figment::error::{Error, Kind};
use figment::providers::{Env, Format, Serialized, Toml};
use protocol::ids::Code;
use protocol::serial::scanner::{Ending, Settings};
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing::warn;

/// Read if it is there and no other is named.
pub const DEFAULT_FILE: &str = "/etc/gymwire/firmware-bridge.toml";

/// A configuration that cannot be used; the message names the key.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct BadConfig(pub String);

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the edge agent is.
    pub agent: AgentConfig,
    /// Where taps wait for it.
    #[serde(default)]
    pub queue: QueueKeys,
    /// What is logged, and how.
    #[serde(default)]
    pub log: LogConfig,
    /// The QR scanners.
    #[serde(default)]
    pub scanner: Vec<ScannerConfig>,
    /// The readers of cards and phones.
    #[serde(default)]
    pub nfc: Vec<NfcConfig>,
    /// The doors.
    #[serde(default)]
    pub door: Vec<DoorConfig>,
    /// QR scanners that type like keyboards.
    #[serde(default)]
    pub keyboard: Vec<KeyboardConfig>,
    /// Our own boards.
    #[serde(default)]
    pub board: Vec<BoardConfig>,
    /// The consoles of machines.
    #[serde(default)]
    pub csafe: Vec<CsafeConfig>,
}

/// `[agent]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// Name or address of the agent.
    #[serde(default = "loopback")]
    pub host: String,
    /// Its MQTT port: 1883, or 8883 with TLS.
    pub port: Option<u16>,
    /// Certificate authority of the branch (`edge-agent ca export`); setting it switches TLS on.
    pub ca_file: Option<PathBuf>,
    /// Name in the agent's certificate, if it is not `host`.
    pub server_name: Option<String>,
    /// The code of this bridge.
    pub username: Code,
    /// File with the secret that `edge-agent device add bridge` has printed.
    pub password_file: PathBuf,
    /// Seconds between two signs of life.
    #[serde(default = "half_a_minute")]
    pub keep_alive_s: u16,
}

/// `[queue]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueKeys {
    /// A folder of its own.
    pub path: PathBuf,
    /// Limit for what waits.
    pub max_bytes: u64,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`; also per module, as in `info,firmware_bridge=debug`.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors.
    Json,
}

/// `[[scanner]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScannerConfig {
    /// The code of the reader that this scanner is.
    pub code: Code,
    /// Its port; best a stable name below `/dev/serial/by-id/`.
    pub port: PathBuf,
    /// Speed of the line; USB scanners do not care.
    #[serde(default = "usual_baud")]
    pub baud: u32,
    /// What ends a code.
    #[serde(default)]
    pub ending: EndingKey,
    /// The same code again within this time is the same presentation.
    #[serde(default = "three_seconds")]
    pub repeat_ms: u32,
}

/// What ends a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndingKey {
    /// CR, LF, CR LF or 100 ms of silence.
    #[default]
    Any,
    /// Always CR or LF.
    Line,
}

impl Config {
    /// Reads file and environment, and lays `flags` over them.
    pub fn load(file: Option<&Path>, flags: impl Serialize) -> Result<Self> {
        let file = match file {
            Some(file) if !file.is_file() => {
                return Err(BadConfig(format!("--config {}: no such file", file.display())).into());
            }
            Some(file) => Toml::file_exact(file),
            None => Toml::file(DEFAULT_FILE),
        };
        let config: Self = Figment::new()
            .merge(file)
            .merge(environment())
            .merge(Serialized::defaults(flags))
            .extract()
            .map_err(|error| BadConfig(describe(error)))?;
        config.check().map_err(|error| BadConfig(format!("{error:#}")))?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        self.queue.config().check()?;
        self.agent.check()?;
        if let Err(error) = self.log.level.parse::<tracing_subscriber::EnvFilter>() {
            bail!("log.level: {error}");
        }
        door::check(&self.door)?;
        let mut claims = Claims::default();
        for ScannerConfig { code, port, baud, .. } in &self.scanner {
            claims.reader("scanner", code)?;
            claims.port("scanner.port", port)?;
            if !(300..=4_000_000).contains(baud) {
                bail!("scanner.baud: {baud} is not between 300 and 4000000");
            }
        }
        for KeyboardConfig { code, device, .. } in &self.keyboard {
            claims.reader("keyboard", code)?;
            claims.port("keyboard.device", device)?;
        }
        for reader in &self.nfc {
            reader.check()?;
            claims.reader("nfc", &reader.code)?;
            claims.port("nfc.port", &reader.port)?;
        }
        for board in &self.board {
            board.check()?;
            claims.machine("board", &board.code)?;
            claims.port("board.port", &board.port)?;
        }
        for console in &self.csafe {
            console.check()?;
            claims.machine("csafe", &console.code)?;
            claims.port("csafe.port", &console.port)?;
        }
        Ok(())
    }
}

impl AgentConfig {
    /// The port that is set, or the usual one.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.ca_file.is_some() { 8883 } else { 1883 })
    }

    /// The secret. Read for every login, so that a new one needs no restart.
    pub fn password(&self) -> Result<String> {
        let file = &self.password_file;
        let text = fs::read_to_string(file)
            .with_context(|| format!("agent.password_file {}", file.display()))?;
        let secret = text.trim();
        if secret.is_empty() {
            bail!("agent.password_file {}: is empty", file.display());
        }
        Ok(secret.to_owned())
    }

    /// Says so if others can read the secret.
    pub fn warn_if_exposed(&self) {
        let mode = fs::metadata(&self.password_file).map_or(0, |file| file.permissions().mode());
        if mode & 0o077 != 0 {
            let file = self.password_file.display();
            warn!(%file, mode = format!("{:o}", mode & 0o777), "password file can be read by others: chmod 600");
        }
    }

    fn check(&self) -> Result<()> {
        if self.host.trim().is_empty() {
            bail!("agent.host: must not be empty");
        }
        if self.port == Some(0) {
            bail!("agent.port: must not be 0");
        }
        if self.keep_alive_s < 2 {
            bail!("agent.keep_alive_s: must be at least 2");
        }
        if self.server_name.is_some() && self.ca_file.is_none() {
            bail!("agent.server_name: has no meaning without agent.ca_file");
        }
        self.password().map(drop)
    }
}

impl QueueKeys {
    /// As the queue takes it.
    pub fn config(&self) -> QueueConfig {
        QueueConfig { path: self.path.clone(), max_bytes: self.max_bytes }
    }
}

impl ScannerConfig {
    /// As the link takes it.
    pub fn settings(&self) -> Settings {
        Settings {
            ending: match self.ending {
                EndingKey::Any => Ending::Any,
                EndingKey::Line => Ending::Line,
            },
            repeat_within: Duration::from_millis(self.repeat_ms.into()),
        }
    }
}

impl Default for QueueKeys {
    fn default() -> Self {
        Self { path: "/var/lib/gymwire/firmware-bridge/queue".into(), max_bytes: 16 * 1024 * 1024 }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}

fn loopback() -> String {
    "127.0.0.1".into()
}

fn half_a_minute() -> u16 {
    30
}

fn usual_baud() -> u32 {
    9600
}

fn three_seconds() -> u32 {
    3_000
}

/// Other programs of the same machine share the prefix: only our sections are ours.
fn environment() -> Env {
    let ours = |key: &figment::value::UncasedStr| {
        let section = key.as_str().split("__").next().unwrap_or_default().to_ascii_lowercase();
        ["agent", "queue", "log", "scanner", "nfc", "door", "keyboard", "board", "csafe"]
            .contains(&section.as_str())
    };
    Env::prefixed("GYMWIRE_").filter(ours).split("__")
}

/// One line per fault, each beginning with its key.
pub(crate) fn describe(error: Error) -> String {
    let line = |error: &Error| {
        let (field, what) = match &error.kind {
            Kind::UnknownField(field, expected) => {
                (Some(field.as_str()), format!("unknown key; known are {}", expected.join(", ")))
            }
            Kind::MissingField(field) => (Some(&**field), "is missing".to_owned()),
            kind => (None, kind.to_string()),
        };
        let last = error.path.last().map(String::as_str);
        let name = field.filter(|name| last != Some(name));
        let key: Vec<&str> = error.path.iter().map(String::as_str).chain(name).collect();
        let from = error.metadata.as_ref().filter(|_| !matches!(error.kind, Kind::MissingField(_)));
        let place = match from.map(|from| &*from.name) {
            Some(name) if name.contains("serde_json") => " (flag)".to_owned(),
            Some(name) => format!(" ({name})"),
            None => String::new(),
        };
        format!("{}: {what}{place}", key.join("."))
    };
    error.into_iter().map(|error| line(&error)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
