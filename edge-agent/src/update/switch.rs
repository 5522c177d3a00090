//! From a staged release to one that runs at the next start, and back by hand.

use super::databases::keep_before;
use super::fault;
use super::manifest::{Databases, Manifest};
use super::releases::{Failed, Releases, Trial};
use super::version::Version;
use anyhow::{Context as _, Result, bail, ensure};
use ed25519_dalek::VerifyingKey;

/// How things are while the former release still runs.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// The cloud is reached.
    pub has_cloud: bool,
    /// Seconds the new release has to be healthy.
    pub window_s: u32,
}

/// What runs here: a release or the package.
pub fn running(releases: &Releases) -> Version {
    present(releases).unwrap_or_else(Version::own)
}

/// The release that runs; none while the package is newer.
fn present(releases: &Releases) -> Option<Version> {
    releases.current().filter(|current| *current > Version::own())
}

/// Whether this release may follow what runs here.
pub fn admit(releases: &Releases, manifest: &Manifest, again: bool) -> Result<()> {
    let (version, running) = (manifest.version, running(releases));
    ensure!(version > running, "release {version} is not newer than {running}, which runs");
    ensure!(
        running >= manifest.min_version,
        "release {version} follows {} or newer: update from {running} to that first",
        manifest.min_version
    );
    if let Some(failed) = releases.failed(version).filter(|_| !again) {
        bail!("release {version} was tried and failed: {} (--again tries it again)", failed.why);
    }
    manifest.databases.ensure_reads(Databases::found(releases.state_dir())?)
}

/// Lets a staged release run from the next start on, until it fails to prove itself.
pub fn switch(
    releases: &Releases,
    version: Version,
    trusted: &[VerifyingKey],
    situation: Situation,
) -> Result<()> {
    let manifest = releases.manifest(version, trusted)?;
    let found = Databases::found(releases.state_dir())?;
    manifest.databases.ensure_reads(found)?;
    let databases_change = manifest.databases.changes(found);
    if databases_change {
        keep_before(releases, version)?;
        fault::point("kept_before");
    }
    let trial = Trial {
        previous: present(releases),
        databases_change,
        had_cloud: situation.has_cloud,
        window_s: situation.window_s,
        starts: 0,
    };
    releases.set_trial(version, &trial)?;
    releases.forgive(version)?;
    fault::point("trial_set");
    releases.set_current(Some(version))?;
    fault::point("switched");
    Ok(())
}

/// Lets what ran before run again from the next start on; says what that is.
pub fn take_back(releases: &Releases, trusted: &[VerifyingKey]) -> Result<Version> {
    let version =
        present(releases).context("the package's programs run: there is nothing to take back")?;
    let trial = releases.trial(version);
    let previous = match &trial {
        Some(trial) => trial.previous,
        None => former(releases, version, trusted),
    };
    if trial.is_none() {
        // While it had to prove itself, the databases of before are there.
        let known = previous.map_or(Ok(Databases::own()), |previous| {
            releases.manifest(previous, trusted).map(|manifest| manifest.databases)
        })?;
        known.ensure_reads(Databases::found(releases.state_dir())?)?;
    }
    releases.set_failed(
        version,
        &Failed {
            why: "it was taken back by hand".to_owned(),
            previous,
            databases_change: trial.is_some_and(|trial| trial.databases_change),
            is_told: false,
        },
    )?;
    Ok(previous.unwrap_or_else(Version::own))
}

/// The newest release before this one that could run.
fn former(releases: &Releases, version: Version, trusted: &[VerifyingKey]) -> Option<Version> {
    let older = releases.all().into_iter().filter(|one| *one < version && *one > Version::own());
    older
        .rev()
        .find(|one| releases.failed(*one).is_none() && releases.manifest(*one, trusted).is_ok())
}
