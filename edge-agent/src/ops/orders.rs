//! What the cloud may order the edge itself to do (commands without a target): `restart`, `update`, `diag`,
//! `rotate_key`.

use super::restart::Restart;
use super::status::Watched;
use crate::config::Config;
use crate::ops::clock::Clock;
use crate::update::UpdateLock;
use crate::update::manifest::trusted_keys;
use crate::update::releases::Releases;
use crate::update::stage::{Source, stage};
use crate::update::switch::{Situation, admit, switch};
use crate::update::version::Version;
use crate::uplink::http::Clients;
use anyhow::{Context as _, Result};
use protocol::mqtt::payloads::MAX_TEXT_CHARS;
use protocol::sync::commands::CommandReport;
use protocol::sync::entry::Outcome;
use serde_json::{Map, Value};

/// Carries orders out; clones share the parts.
#[derive(Clone)]
pub struct Orders {
    /// Keys of makers, the way to a release, how long it may take.
    pub config: Config,
    /// The parts of the agent that are looked at.
    pub watched: Watched,
    /// The end of the agent.
    pub restart: Restart,
}

/// What became of an order.
#[derive(Debug, PartialEq)]
pub struct Carried {
    /// For the cloud.
    pub report: CommandReport,
    /// What follows when the cloud has it: before, the order would be given again after the restart.
    pub then: Option<Then>,
}

/// What is done last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// End and be started again.
    Restart,
    /// The same, as this release.
    SwitchTo(Version),
}

impl Orders {
    /// Does what was ordered, as far as can be done before the cloud is told.
    pub async fn carry_out(&self, command: &str, args: &Map<String, Value>) -> Carried {
        match command {
            "restart" => Carried::done(None, Some(Then::Restart)),
            "diag" => {
                let text = self.watched.status().to_string().replace('\n', "; ");
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                Carried::done(Some(text.chars().take(MAX_TEXT_CHARS).collect()), None)
            }
            "rotate_key" => match self.watched.registry.order_new_key() {
                Ok(()) => Carried::done(Some("the new key is announced now".to_owned()), None),
                Err(error) => Carried::not(Outcome::Failed, &format!("{error:#}")),
            },
            "update" => match self.stage(args).await {
                Ok(version) => Carried::done(
                    Some(format!("{version} is staged and starts now")),
                    Some(Then::SwitchTo(version)),
                ),
                Err(error) => Carried::not(Outcome::Failed, &format!("{error:#}")),
            },
            _ => Carried::unknown(command),
        }
    }

    /// Does the rest, once the cloud was told.
    pub fn finish(&self, then: Then) {
        let ready = match then {
            Then::Restart => Ok(()),
            Then::SwitchTo(version) => self.switch(version),
        };
        match ready {
            Ok(()) => self.restart.order(),
            Err(error) => tracing::error!(?error, "the release was not switched to"),
        }
    }

    async fn stage(&self, args: &Map<String, Value>) -> Result<Version> {
        let given = args.get("url").and_then(Value::as_str);
        let url = given.or(self.config.update.url.as_deref());
        let url =
            url.context("`url` is missing, and there is no configuration key `update.url`")?;
        let source = Source::Url(reqwest::Url::parse(url).context("`url` is no URL")?);
        let again = args.get("again").and_then(Value::as_bool).unwrap_or(false);
        let client = Clients::new(&self.config.cloud, &Clock::system())?.bulk;
        let releases = Releases::of(&self.config.agent.state_dir);
        let _lock = UpdateLock::take(releases.state_dir())?;
        let trusted = trusted_keys(&self.config.update.keys)?;
        let signed = source.manifest(&client).await?;
        admit(&releases, &signed.verify(&trusted)?, again)?;
        Ok(stage(&releases, &source, &client, &signed, &trusted).await?.version)
    }

    fn switch(&self, version: Version) -> Result<()> {
        let releases = Releases::of(&self.config.agent.state_dir);
        let _lock = UpdateLock::take(releases.state_dir())?;
        let situation = Situation {
            has_cloud: self.watched.status().online,
            window_s: self.config.update.window_s,
        };
        switch(&releases, version, &trusted_keys(&self.config.update.keys)?, situation)
    }
}

impl Carried {
    /// Nobody knows how to do that.
    pub fn unknown(command: &str) -> Self {
        Self::not(Outcome::Unknown, &format!("the edge knows no command {command:?}"))
    }

    fn done(detail: Option<String>, then: Option<Then>) -> Self {
        Self { report: CommandReport { outcome: Outcome::Done, detail }, then }
    }

    fn not(outcome: Outcome, why: &str) -> Self {
        let detail = Some(why.chars().take(MAX_TEXT_CHARS).collect());
        Self { report: CommandReport { outcome, detail }, then: None }
    }
}
