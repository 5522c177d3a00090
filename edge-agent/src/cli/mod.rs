//! The command line. Exit codes: 0 done, 1 it did not work, 2 bad usage or configuration, 75 a restart was
//! ordered.

mod backup;
mod certificates;
mod device;
mod diag;
mod first_start;
mod staff;
mod update;

use crate::config::{Config, ConfigError, Flags};
use crate::front_door::tls::Tls;
use crate::journal::{self, Journal, JournalConfig};
use crate::ops::actions::{Actions, Ask};
use crate::ops::clock::Clock;
use crate::ops::control;
use crate::ops::lock::FolderLock;
use crate::ops::logs;
use crate::ops::restart::{self, Ordered};
use crate::ops::status::Status;
use crate::registry::Registry;
use crate::staff::FirstStart;
use crate::staff::accounts::{Accounts, COST};
use crate::supervisor;
use anyhow::{Context as _, Result, bail};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use protocol::sync::entry::Body;
use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::timeout;

/// The edge agent of a gym's branch.
#[derive(Debug, Parser)]
#[command(name = "edge-agent", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Options {
    /// Configuration file (TOML) instead of /etc/gymwire/edge-agent.toml.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Folder of everything the agent keeps (configuration key `agent.state_dir`).
    #[arg(long, value_name = "DIR", global = true)]
    state_dir: Option<PathBuf>,
    /// What to log: error, warn, info, debug or trace (configuration key `agent.log`).
    #[arg(long, value_name = "LEVEL", global = true)]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the agent until SIGTERM or SIGINT.
    Run,
    /// Makes this edge known to a cloud, with a one-time code that staff made there.
    Enroll {
        /// The cloud's address, e.g. <https://cloud.example> (configuration key `cloud.url`).
        #[arg(long, value_name = "URL")]
        cloud: Option<String>,
        /// The one-time code.
        #[arg(long, required_unless_present = "qr")]
        code: Option<String>,
        /// Shows where the staff page does the same, as text and as a QR code for a phone.
        #[arg(long, conflicts_with = "code")]
        qr: bool,
    },
    /// Says how the running agent is.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Devices of the branch.
    #[command(subcommand)]
    Device(device::DeviceCommand),
    /// Accounts of the staff page.
    #[command(subcommand)]
    Staff(staff::StaffCommand),
    /// The branch's certificate authority.
    #[command(subcommand)]
    Ca(CaCommand),
    /// The key by which the cloud knows this edge.
    #[command(subcommand)]
    Key(KeyCommand),
    /// The journal.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Newer releases, and the way back.
    #[command(subcommand)]
    Update(update::UpdateCommand),
    /// Writes a backup of the state folder; the agent may run.
    Backup {
        /// The file to write; only its owner may read it.
        file: PathBuf,
        /// Seals the backup with the passphrase in this file.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Puts a backup in the place of the state folder's content; the agent must not run.
    Restore {
        /// The backup.
        file: PathBuf,
        /// The file with the passphrase that it is sealed with.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// Sets what is there aside.
        #[arg(long)]
        replace: bool,
    },
    /// Writes what helps to find a fault into a file; it holds no secrets and no member data.
    Diag {
        /// The file to write.
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum CaCommand {
    /// Prints the certificates that devices have to trust (PEM).
    Export,
    /// Makes a new root beside the present one. Then give devices what `export` prints.
    Rotate,
    /// Trusts the former root no more; the servers get a certificate of the new one.
    DropFormer,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Replaces the key; the agent goes on meanwhile. Backups from before are void afterwards.
    Rotate,
}

#[derive(Debug, Subcommand)]
enum JournalCommand {
    /// Checks every entry; exit code 1 if something is damaged.
    Verify,
}

/// The command line as it describes itself, for manual pages.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Reads the arguments, does what they ask, and says how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let Options { config, state_dir, log } = cli.options;
    let config = match Config::load(&Flags { config, state_dir, log }) {
        Ok(config) => config,
        Err(error) => return complain(&format!("{error}"), 2),
    };
    // The router and reqwest take the process's default; without it they would look for aws-lc-rs.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return complain("the cryptography of TLS is installed twice", 1);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("cannot start: {error}"), 1),
    };
    let end = runtime.block_on(perform(cli.command, config));
    runtime.shutdown_background();
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&format!("{error:#}"), exit_code(&error)),
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<ConfigError>() {
        2
    } else if error.is::<Ordered>() {
        restart::EXIT_CODE
    } else {
        1
    }
}

async fn perform(command: Command, config: Config) -> Result<()> {
    match command {
        Command::Run => {
            logs::start(&config.agent)?;
            supervisor::run(config).await
        }
        Command::Enroll { code: None, .. } => first_start::show(&config).await,
        Command::Enroll { cloud, code: Some(code), .. } => enroll(&config, cloud, code).await,
        Command::Status { json } => status(&config, json).await,
        Command::Device(command) => device::perform(&config, command).await,
        Command::Staff(command) => staff::perform(&config, command).await,
        Command::Ca(command) => certificates::perform(&config, &command).await,
        Command::Key(KeyCommand::Rotate) => certificates::rotate_key(&config).await,
        Command::Journal(JournalCommand::Verify) => {
            let path = JournalConfig::new(&config.agent.state_dir).path();
            if !path.exists() {
                bail!("there is no journal {}: {ELSEWHERE}", path.display());
            }
            let report = tokio::task::spawn_blocking(move || journal::verify(&path)).await??;
            say(&report.to_string())?;
            anyhow::ensure!(report.is_sound(), "the journal is damaged");
            Ok(())
        }
        Command::Backup { file, passphrase_file } => {
            backup::back_up(&config, file, passphrase_file).await
        }
        Command::Restore { file, passphrase_file, replace } => {
            backup::restore(&config, file, passphrase_file, replace).await
        }
        Command::Update(command) => update::perform(&config, command).await,
        Command::Diag { file } => diag::perform(&config, &file).await,
    }
}

async fn enroll(config: &Config, cloud: Option<String>, code: String) -> Result<()> {
    let cloud = cloud.or_else(|| config.cloud.url.clone()).ok_or_else(|| {
        bad("--cloud URL is missing, and there is no configuration key `cloud.url`")
    })?;
    if let Err(error) = reqwest::Url::parse(&cloud) {
        return Err(bad(&format!(
            "--cloud: {cloud} is no URL, e.g. https://cloud.example: {error}"
        )));
    }
    let done = ask(config, Ask::Enroll { cloud, code }).await?;
    say(&format!("enrolled for {} as edge {}", text(&done, "branch"), text(&done, "edge_id")))
}

async fn status(config: &Config, as_json: bool) -> Result<()> {
    let folder = &config.agent.state_dir;
    let Some(value) = control::ask(folder, &Ask::Status).await? else {
        bail!("no edge agent is running on {}: {ELSEWHERE}", folder.display());
    };
    if as_json {
        return say(&serde_json::to_string_pretty(&value)?);
    }
    let status: Status = serde_json::from_value(value)?;
    say(&status.to_string())?;
    match first_start::code(folder).await? {
        Some(code) => say(&format!("staff page   nobody can sign in yet; its code is {code}")),
        None => Ok(()),
    }
}

/// What somebody may have overlooked whose agent has state, or runs.
const ELSEWHERE: &str = "start it (systemctl start gymwire-edge-agent), or say with --state-dir or --config where it is";

fn bad(what: &str) -> anyhow::Error {
    ConfigError(what.to_owned()).into()
}

/// A folder in which no agent has ever run is most likely not the one that was meant. These acts would only make one.
fn check_state(folder: &Path, ask: &Ask) -> Result<()> {
    let makes = matches!(
        ask,
        Ask::Enroll { .. } | Ask::DeviceAdd { .. } | Ask::StaffAdd { .. } | Ask::FirstStart
    );
    if !makes && !folder.join("branch.db").exists() {
        bail!("{} holds no state of an agent: {ELSEWHERE}", folder.display());
    }
    Ok(())
}

const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Has the running agent do it; without one, does it here, holding the folder as an agent would.
async fn ask(config: &Config, ask: Ask) -> Result<Value> {
    let folder = &config.agent.state_dir;
    if let Some(done) = control::ask(folder, &ask).await? {
        return Ok(done);
    }
    check_state(folder, &ask)?;
    let _lock = FolderLock::take(folder)?;
    let clock = Clock::system();
    let opened = Registry::open(folder, &clock).await?;
    let journal_config =
        JournalConfig { limits: config.journal.clone(), ..JournalConfig::new(folder) };
    let (journal, _) = Journal::open(journal_config, clock.clone())?;
    for notice in opened.notices {
        journal.note(Body::Notice(notice)).await?;
    }
    let cloud = config.cloud.clone();
    let registry = opened.registry;
    let accounts = Accounts::open(registry.clone(), clock.clone(), &config.staff, COST).await?;
    let actions = Actions {
        registry,
        journal: journal.clone(),
        tls: Tls::of(config, &clock)?,
        clock,
        cloud,
        accounts,
        first_start: FirstStart::draw()?,
    };
    let done = actions.perform(ask).await;
    let closed = timeout(CLOSE_TIMEOUT, journal.close()).await;
    let done = done?;
    closed.context("the journal cannot be written")?;
    Ok(done)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Prints a result. A reader that closes the pipe early is no fault.
fn say(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn complain(text: &str, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "edge-agent: {text}");
    ExitCode::from(code)
}
