//! The folder of releases. Each step is one rename, so a power cut leaves the step before or the step after it:
//!
//! ```text
//! releases/.staging-0.3.0/        being fetched; worth nothing
//! releases/0.3.0/                 programs and their signed manifest, whole
//!          0.3.0/trial.json       it has to prove itself; says what ran before
//!          0.3.0/failed.json      it did not, and is not tried again by itself
//!          0.3.0/before/          databases as they were before its first start
//! releases/current -> 0.3.0       what runs; without it, what the package has installed
//! ```

use super::fault;
use super::manifest::{Manifest, Signed};
use super::version::Version;
use crate::ops::durable::{private_folder, sync_folder, write_private};
use anyhow::{Context as _, Result};
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The releases of a state folder.
#[derive(Debug, Clone)]
pub struct Releases {
    state_dir: PathBuf,
    folder: PathBuf,
}

/// A release that has to prove itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// What ran before; nothing if the package's programs did.
    pub previous: Option<Version>,
    /// Its databases are newer than those of what ran before.
    pub databases_change: bool,
    /// The cloud was reached, so it has to be reached again.
    pub had_cloud: bool,
    /// Seconds it has from a start to being healthy.
    pub window_s: u32,
    /// How often it was started.
    pub starts: u32,
}

/// Why a release is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// In words.
    pub why: String,
    /// What ran before.
    pub previous: Option<Version>,
    /// Whether the databases have to be put back.
    pub databases_change: bool,
    /// Staff were told.
    pub is_told: bool,
}

const CURRENT: &str = "current";
const TRIAL: &str = "trial.json";
const FAILED: &str = "failed.json";
const MANIFEST: &str = "manifest.json";
/// Databases as they were, in the folder of a release.
pub const BEFORE: &str = "before";

impl Releases {
    /// Of this state folder; it need not have any.
    pub fn of(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned(), folder: state_dir.join("releases") }
    }

    /// The state folder.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The folder of all releases.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of one.
    pub fn of_version(&self, version: Version) -> PathBuf {
        self.folder.join(version.to_string())
    }

    /// What runs; nothing if the package's programs do.
    pub fn current(&self) -> Option<Version> {
        fs::read_link(self.folder.join(CURRENT)).ok()?.to_str()?.parse().ok()
    }

    /// Lets this one run from the next start on.
    pub fn set_current(&self, version: Option<Version>) -> Result<()> {
        self.link(version)?;
        // What follows the link beside us is told by a file: systemd cannot watch a link.
        let text = version.map_or_else(|| "package".to_owned(), |version| version.to_string());
        write_private(&self.folder.join(".switched"), text.as_bytes())
    }

    fn link(&self, version: Option<Version>) -> Result<()> {
        let link = self.folder.join(CURRENT);
        let Some(version) = version else {
            return match fs::remove_file(&link) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                removed => removed.and_then(|()| sync_folder(&self.folder)),
            }
            .context("cannot remove the link to the current release");
        };
        let new = self.folder.join("current.new");
        let _ = fs::remove_file(&new);
        std::os::unix::fs::symlink(version.to_string(), &new)
            .and_then(|()| fs::rename(&new, &link))
            .and_then(|()| sync_folder(&self.folder))
            .context("cannot point to the current release")
    }

    /// Every release that is there whole, oldest first.
    pub fn all(&self) -> Vec<Version> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut all: Vec<_> =
            entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        all.sort_unstable();
        all
    }

    /// An empty folder to stage a release in.
    pub fn staging(&self, version: Version) -> Result<PathBuf> {
        private_folder(&self.folder)?;
        let entries = fs::read_dir(&self.folder)?.flatten();
        for left in
            entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".staging-"))
        {
            fs::remove_dir_all(left.path()).context("cannot remove what was staged before")?;
        }
        let folder = self.folder.join(format!(".staging-{version}"));
        private_folder(&folder)?;
        Ok(folder)
    }

    /// Keeps what was staged, with its manifest.
    pub fn keep(&self, version: Version, staging: &Path, signed: &Signed) -> Result<()> {
        write_private(&staging.join(MANIFEST), &serde_json::to_vec_pretty(signed)?)?;
        fault::point("staged");
        let folder = self.of_version(version);
        if folder.exists() {
            fs::remove_dir_all(&folder).context("cannot remove a damaged release")?;
        }
        fs::rename(staging, &folder)
            .and_then(|()| sync_folder(&self.folder))
            .with_context(|| format!("cannot keep release {version}"))?;
        fault::point("kept");
        Ok(())
    }

    /// The manifest of a release that is there, if a trusted maker signed it.
    pub fn manifest(&self, version: Version, trusted: &[VerifyingKey]) -> Result<Manifest> {
        let bytes = fs::read(self.of_version(version).join(MANIFEST))
            .with_context(|| format!("release {version} has no manifest"))?;
        let manifest = Signed::parse(&bytes)?.verify(trusted)?;
        anyhow::ensure!(
            manifest.version == version,
            "the manifest is that of {}",
            manifest.version
        );
        Ok(manifest)
    }

    /// Whether it still has to prove itself.
    pub fn trial(&self, version: Version) -> Option<Trial> {
        self.read(version, TRIAL)
    }

    /// Lets it prove itself from its next start on.
    pub fn set_trial(&self, version: Version, trial: &Trial) -> Result<()> {
        self.write(version, TRIAL, trial)
    }

    /// It has proven itself.
    pub fn confirm(&self, version: Version) -> Result<()> {
        let folder = self.of_version(version);
        fs::remove_file(folder.join(TRIAL))
            .and_then(|()| sync_folder(&folder))
            .with_context(|| format!("cannot confirm release {version}"))
    }

    /// Whether it has failed.
    pub fn failed(&self, version: Version) -> Option<Failed> {
        self.read(version, FAILED)
    }

    /// It has failed; the launcher takes it back at the next start.
    pub fn fail(&self, version: Version, why: &str) -> Result<()> {
        let trial = self.trial(version);
        self.set_failed(
            version,
            &Failed {
                why: why.to_owned(),
                previous: trial.as_ref().and_then(|trial| trial.previous),
                databases_change: trial.is_some_and(|trial| trial.databases_change),
                is_told: false,
            },
        )
    }

    /// Writes down what is known of a failure.
    pub fn set_failed(&self, version: Version, failed: &Failed) -> Result<()> {
        self.write(version, FAILED, failed)
    }

    /// Forgets that it has failed: it may be tried again.
    pub fn forgive(&self, version: Version) -> Result<()> {
        match fs::remove_file(self.of_version(version).join(FAILED)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.context("cannot forget a failure"),
        }
    }

    /// Removes every release but these.
    pub fn remove_others(&self, keep: &[Option<Version>]) -> Result<()> {
        for version in self.all() {
            // A failed one stays known as such, without its programs.
            if keep.contains(&Some(version)) || self.failed(version).is_some() {
                continue;
            }
            fs::remove_dir_all(self.of_version(version))
                .with_context(|| format!("cannot remove release {version}"))?;
        }
        Ok(())
    }

    fn read<T: DeserializeOwned>(&self, version: Version, name: &str) -> Option<T> {
        serde_json::from_slice(&fs::read(self.of_version(version).join(name)).ok()?).ok()
    }

    fn write<T: Serialize>(&self, version: Version, name: &str, value: &T) -> Result<()> {
        write_private(&self.of_version(version).join(name), &serde_json::to_vec(value)?)
    }
}
