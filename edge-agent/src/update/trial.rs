//! A release that runs for the first times proves itself, or ends so that the launcher takes it back.

use super::fault;
use super::releases::{Releases, Trial};
use super::version::Version;
use crate::journal::Journal;
use crate::ops::pulse::Pulses;
use crate::ops::status::Watched;
use anyhow::{Result, bail};
use protocol::sync::entry::{Body, Notice};
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::sync::CancellationToken;

/// A release on trial.
#[derive(Debug, Clone)]
pub struct OnTrial {
    releases: Releases,
    version: Version,
    trial: Trial,
    settle: Duration,
}

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Loops beat once a second; looked at more often than that, they would seem to stand still.
const BEATS_WITHIN: Duration = Duration::from_secs(3);

impl OnTrial {
    /// Whether this process is one, by what the launcher told it. `settle` is how long it must have been healthy.
    pub fn of(state_dir: &Path, settle: Duration) -> Option<Self> {
        let version: Version = std::env::var("GYMWIRE_RELEASE").ok()?.parse().ok()?;
        let releases = Releases::of(state_dir);
        let trial = releases.trial(version)?;
        Some(Self { releases, version, trial, settle })
    }

    /// Watches until the release is confirmed, then until `stop`. Fails if the release does.
    pub async fn run(
        self,
        watched: Watched,
        mut loops: Pulses,
        stop: CancellationToken,
    ) -> Result<()> {
        let window = Duration::from_secs(u64::from(self.trial.window_s));
        let proving = timeout_at(Instant::now() + window, self.prove(&watched, &mut loops));
        let proven = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            proven = proving => proven,
        };
        if !matches!(proven, Ok(Ok(()))) {
            let why = format!(
                "it was not healthy within {} s: {}",
                window.as_secs(),
                self.missing(&watched)
            );
            self.releases.fail(self.version, &why)?;
            bail!("release {} failed: {why}", self.version);
        }
        tracing::info!(version = %self.version, "the release has proven itself");
        self.tell(&watched.journal).await;
        if let Err(error) = self.releases.remove_others(&[Some(self.version), self.trial.previous])
        {
            tracing::warn!(?error, "former releases cannot be removed");
        }
        stop.cancelled().await;
        Ok(())
    }

    async fn prove(&self, watched: &Watched, loops: &mut Pulses) -> Result<()> {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut healthy_since = None;
        let mut beat_at = None;
        loop {
            look.tick().await;
            let now = Instant::now();
            if loops.all_beat() {
                beat_at = Some(now);
            }
            let is_open = beat_at.is_some_and(|beat| now - beat < BEATS_WITHIN);
            if !(is_open && self.missing(watched).is_empty()) {
                healthy_since = None;
                continue;
            }
            if now - *healthy_since.get_or_insert(now) >= self.settle {
                fault::point("before_confirm");
                self.releases.confirm(self.version)?;
                nix::unistd::alarm::cancel();
                fault::point("confirmed");
                return Ok(());
            }
        }
    }

    /// What is not as it was before; empty if nothing.
    fn missing(&self, watched: &Watched) -> String {
        let status = watched.status();
        if !status.is_healthy() {
            return format!("the journal is {}", status.journal);
        }
        if self.trial.had_cloud && !status.online {
            return "the cloud is not reached any more".to_owned();
        }
        String::new()
    }

    async fn tell(&self, journal: &Journal) {
        let detail = format!("release {} runs and has proven itself", self.version);
        let notice = Body::Notice(Notice { code: "update_done".to_owned(), detail });
        if journal.note(notice).await.is_err() {
            tracing::warn!("the journal closed before it took the news of an update");
        }
    }
}

/// Tells staff and cloud, once, which releases were taken back.
pub async fn tell_failures(state_dir: &Path, journal: &Journal) -> Result<()> {
    let releases = Releases::of(state_dir);
    for version in releases.all() {
        let Some(mut failed) = releases.failed(version).filter(|failed| !failed.is_told) else {
            continue;
        };
        if releases.current() == Some(version) {
            continue;
        }
        let detail = format!("release {version} was taken back: {}", failed.why);
        journal.note(Body::Notice(Notice { code: "update_taken_back".to_owned(), detail })).await?;
        failed.is_told = true;
        releases.set_failed(version, &failed)?;
    }
    Ok(())
}
