//! The command line: `run`, `probe` and, with the emulators built in, `emulate`.

use crate::config::{BadConfig, Config, LogConfig, LogFormat};
use crate::{probe, supervisor};
use anyhow::{Context, Result};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use serde_json::{Map, Value, json};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime;
use tracing::error;
use tracing_subscriber::EnvFilter;

/// Connects serial devices (QR scanners, card readers, consoles) to the edge agent of a gym.
///
/// Configuration comes from a TOML file, then from environment variables (`GYMWIRE_AGENT__HOST` sets `host` in
/// `[agent]`), then from flags.
#[derive(Debug, Parser)]
#[command(version)]
struct Command {
    /// Configuration file; without it /etc/gymwire/firmware-bridge.toml if there is one.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Serves the configured devices until SIGTERM.
    Run(Box<Flags>),
    /// Lists the serial ports and asks what is plugged into them. Ports in use are left alone.
    Probe {
        /// Only lists: sends nothing to anybody.
        #[arg(long)]
        quiet: bool,
        /// Ports to ask; without any, all that the kernel lists.
        ports: Vec<PathBuf>,
    },
    /// Plays a device on a pseudo terminal.
    #[cfg(feature = "emulators")]
    Emulate {
        #[command(subcommand)]
        device: crate::emulators::Device,
    },
}

/// Each overrides the key of the same name.
#[derive(Debug, Args)]
struct Flags {
    /// agent.host
    #[arg(long, value_name = "HOST")]
    agent_host: Option<String>,
    /// agent.port
    #[arg(long, value_name = "PORT")]
    agent_port: Option<u16>,
    /// `agent.ca_file`: certificate authority of the branch; switches TLS on
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// agent.username: the code of this bridge
    #[arg(long, value_name = "CODE")]
    username: Option<String>,
    /// `agent.password_file`
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// queue.path
    #[arg(long, value_name = "FOLDER")]
    queue_path: Option<PathBuf>,
    /// A QR scanner as CODE=PORT, e.g. door-1=/dev/serial/by-id/usb-…; replaces those of the file. Repeatable
    #[arg(long, value_name = "CODE=PORT", value_parser = scanner)]
    scanner: Vec<(String, String)>,
    /// log.level
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// log.format
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

fn scanner(text: &str) -> Result<(String, String), &'static str> {
    let (code, port) = text.split_once('=').ok_or("expected CODE=PORT")?;
    Ok((code.to_owned(), port.to_owned()))
}

/// The command line as it describes itself, for manual pages.
pub fn command() -> clap::Command {
    Command::command()
}

/// Runs the program and says how it ended: 2 for bad usage or configuration, 1 for any other failure.
pub fn main() -> ExitCode {
    let command = Command::parse();
    match execute(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Logging may not have begun, and standard error may be closed.
            let _ = writeln!(io::stderr(), "firmware-bridge: {error:#}");
            ExitCode::from(if error.is::<BadConfig>() { 2 } else { 1 })
        }
    }
}

fn execute(command: Command) -> Result<()> {
    match command.what {
        What::Run(flags) => {
            let config = Config::load(command.config.as_deref(), flags.keys())?;
            start_logging(&config.log);
            block_on(supervisor::run(config)).inspect_err(|error| error!("{error:#}"))
        }
        What::Probe { quiet, ports } => block_on(look_around(quiet, ports)),
        #[cfg(feature = "emulators")]
        What::Emulate { device } => block_on(device.play()),
    }
}

async fn look_around(is_quiet: bool, named: Vec<PathBuf>) -> Result<()> {
    let ports = if named.is_empty() {
        probe::ports(Path::new("/sys"), Path::new("/dev"))
    } else {
        named.iter().map(|port| probe::named(port)).collect()
    };
    let answers = if is_quiet {
        Vec::new()
    } else {
        let devices: Vec<PathBuf> = ports.iter().map(|port| port.device.clone()).collect();
        probe::ask(&devices).await
    };
    let report = probe::report(&ports, &answers);
    io::stdout().write_all(report.as_bytes()).context("standard output")
}

/// Two threads: one for the network, one for ports; the queue has its own.
fn block_on(program: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ended = runtime.block_on(program);
    // A port that hangs in a system call, or a read of standard input, must not hold up the end.
    runtime.shutdown_timeout(Duration::from_millis(500));
    ended
}

fn start_logging(config: &LogConfig) {
    let filter = config.level.parse().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let lines = lines.with_ansi(io::stderr().is_terminal());
    match config.format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

impl Flags {
    /// The flags that were given, as keys of the configuration.
    fn keys(&self) -> Value {
        let format = self.log_format.map(|format| json!(format));
        let mut keys = Map::new();
        let sections = [
            ("agent", "host", self.agent_host.as_ref().map(|host| json!(host))),
            ("agent", "port", self.agent_port.map(|port| json!(port))),
            ("agent", "ca_file", self.ca_file.as_ref().map(|file| json!(file))),
            ("agent", "username", self.username.as_ref().map(|code| json!(code))),
            ("agent", "password_file", self.password_file.as_ref().map(|file| json!(file))),
            ("queue", "path", self.queue_path.as_ref().map(|path| json!(path))),
            ("log", "level", self.log_level.as_ref().map(|level| json!(level))),
            ("log", "format", format),
        ];
        for (section, key, value) in sections {
            if let (Some(value), Value::Object(section)) =
                (value, keys.entry(section).or_insert_with(|| json!({})))
            {
                section.insert(key.to_owned(), value);
            }
        }
        if !self.scanner.is_empty() {
            let list =
                self.scanner.iter().map(|(code, port)| json!({ "code": code, "port": port }));
            keys.insert("scanner".into(), list.collect());
        }
        keys.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Command::command().debug_assert();
    }

    #[test]
    fn flags_become_keys() {
        let command = Command::parse_from([
            "firmware-bridge",
            "run",
            "--agent-port",
            "1999",
            "--scanner",
            "door-1=/dev/x=y",
        ]);
        let What::Run(flags) = command.what else { panic!("not run") };

        assert_eq!(
            flags.keys(),
            json!({
                "agent": { "port": 1999 }, "queue": {}, "log": {},
                "scanner": [{ "code": "door-1", "port": "/dev/x=y" }],
            })
        );
    }
}
