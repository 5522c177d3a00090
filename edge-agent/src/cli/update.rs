//! `edge-agent update`: to a newer release and back; and, for its makers, how to make one.

use super::say;
use crate::config::Config;
use crate::ops::actions::Ask;
use crate::ops::clock::Clock;
use crate::ops::control;
use crate::ops::owner;
use crate::ops::status::Status;
use crate::update::manifest::{Databases, trusted_keys};
use crate::update::releases::Releases;
use crate::update::stage::{Source, stage};
use crate::update::switch::{Situation, admit, running, switch, take_back};
use crate::update::version::Version;
use crate::update::{UpdateLock, makers};
use crate::uplink::http::Clients;
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum UpdateCommand {
    /// Says whether there is a newer release, and whether it can follow what runs here.
    Check {
        /// A signed manifest: a file or an address (configuration key `update.url`).
        source: Option<String>,
    },
    /// Fetches a release, checks it, and lets it run. It has to prove itself, or what runs now comes back.
    Apply {
        /// A signed manifest: a file or an address (configuration key `update.url`).
        source: Option<String>,
        /// Also if it failed here before.
        #[arg(long)]
        again: bool,
    },
    /// Says which releases there are and what became of them.
    Status,
    /// Lets what ran before run again.
    Rollback,
    /// For makers: makes a key and prints its public half, which goes to /etc/gymwire/release-keys.
    Key {
        /// The file to write.
        file: PathBuf,
    },
    /// For makers: packs and signs a release.
    Sign(Sign),
}

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The makers' key (PEM).
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The release's version, e.g. 1.4.0.
    #[arg(long)]
    version: Version,
    /// Older versions cannot be updated to it directly.
    #[arg(long, default_value = "0.1.0")]
    min_version: Version,
    /// The folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Schema version of journal.db that its programs write, if it is not the one of this program.
    #[arg(long, default_value_t = Databases::own().journal)]
    journal: i64,
    /// Schema version of branch.db that its programs write, if it is not the one of this program.
    #[arg(long, default_value_t = Databases::own().branch)]
    branch: i64,
    /// How hard to pack, 1 to 19.
    #[arg(long, default_value_t = 19)]
    level: i32,
    /// Folders with the programs by processor, e.g. aarch64=target/aarch64-unknown-linux-gnu/release.
    #[arg(required = true, value_name = "PROCESSOR=DIR")]
    programs: Vec<String>,
}

pub(super) async fn perform(config: &Config, command: UpdateCommand) -> Result<()> {
    match command {
        UpdateCommand::Check { source } => check(config, source).await,
        UpdateCommand::Apply { source, again } => apply(config, source, again).await,
        UpdateCommand::Status => say(&listing(config)),
        UpdateCommand::Rollback => {
            let releases = Releases::of(&config.agent.state_dir);
            let _lock = UpdateLock::take(releases.state_dir())?;
            let version = take_back(&releases, &trusted_keys(&config.update.keys)?)?;
            owner::give(releases.folder(), releases.state_dir())?;
            restart(config, &format!("{version} runs again")).await
        }
        UpdateCommand::Key { file } => say(&makers::make_key(&file)?),
        UpdateCommand::Sign(sign) => sign.perform(),
    }
}

async fn check(config: &Config, source: Option<String>) -> Result<()> {
    let releases = Releases::of(&config.agent.state_dir);
    let signed = found(config, source)?.manifest(&client(config)?).await?;
    let manifest = signed.verify(&trusted_keys(&config.update.keys)?)?;
    let running = running(&releases);
    if manifest.version <= running {
        return say(&format!("{running} runs, {} is the newest there", manifest.version));
    }
    manifest.programs_here()?;
    admit(&releases, &manifest, false)?;
    say(&format!("{running} runs, {} can follow", manifest.version))
}

async fn apply(config: &Config, source: Option<String>, again: bool) -> Result<()> {
    let releases = Releases::of(&config.agent.state_dir);
    let _lock = UpdateLock::take(releases.state_dir())?;
    let (source, client) = (found(config, source)?, client(config)?);
    let trusted = trusted_keys(&config.update.keys)?;
    let signed = source.manifest(&client).await?;
    let manifest = signed.verify(&trusted)?;
    admit(&releases, &manifest, again)?;
    stage(&releases, &source, &client, &signed, &trusted).await?;
    let status = control::ask(releases.state_dir(), &Ask::Status).await.ok().flatten();
    let status = status.and_then(|status| serde_json::from_value::<Status>(status).ok());
    let situation = Situation {
        has_cloud: status.is_some_and(|status| status.online),
        window_s: config.update.window_s,
    };
    switch(&releases, manifest.version, &trusted, situation)?;
    owner::give(releases.folder(), releases.state_dir())?;
    restart(config, &format!("{} has {} s to prove itself", manifest.version, situation.window_s))
        .await
}

/// What was switched counts from the next start on.
async fn restart(config: &Config, then: &str) -> Result<()> {
    match control::ask(&config.agent.state_dir, &Ask::Restart).await? {
        Some(_) => say(&format!("the agent starts again; {then}")),
        None => say(&format!("with its next start: {then}")),
    }
}

/// Which releases there are and what became of them.
pub(super) fn listing(config: &Config) -> String {
    let releases = Releases::of(&config.agent.state_dir);
    let mut lines = vec![
        format!("package      {}", Version::own()),
        format!("runs         {}", running(&releases)),
    ];
    for version in releases.all() {
        let state = match (releases.failed(version), releases.trial(version)) {
            (Some(failed), _) => format!("failed: {}", failed.why),
            (None, Some(trial)) if releases.current() == Some(version) => {
                format!("has to prove itself, started {} times", trial.starts)
            }
            (None, Some(_)) => "was not switched to".to_owned(),
            (None, None) => "good".to_owned(),
        };
        lines.push(format!("release      {version} {state}"));
    }
    lines.join("\n")
}

fn found(config: &Config, source: Option<String>) -> Result<Source> {
    let source = source.or_else(|| config.update.url.clone());
    let missing = "a file or address is missing, and there is no configuration key `update.url`";
    Source::parse(&source.ok_or_else(|| super::bad(missing))?)
}

fn client(config: &Config) -> Result<reqwest::Client> {
    Ok(Clients::new(&config.cloud, &Clock::system())?.bulk)
}

impl Sign {
    fn perform(self) -> Result<()> {
        let programs = self.programs.iter().map(|given| {
            let (processor, folder) =
                given.split_once('=').context("PROCESSOR=DIR is what is wanted")?;
            Ok((processor.to_owned(), PathBuf::from(folder)))
        });
        let order = makers::Order {
            version: self.version,
            min_version: self.min_version,
            databases: Databases { journal: self.journal, branch: self.branch },
            programs: programs.collect::<Result<_>>()?,
            out: self.out,
        };
        let manifest = makers::release(&order, &makers::read_key(&self.key)?, self.level)?;
        say(&format!("wrote {}", manifest.display()))
    }
}
