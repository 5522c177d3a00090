//! Fetches a release beside the one that runs. Nothing of it counts before all of it is on disk and is what its makers
//! signed.

use super::fault;
use super::launch::check;
use super::manifest::{MAX_MANIFEST_BYTES, Manifest, Program, Signed};
use super::releases::Releases;
use anyhow::{Context as _, Result, bail, ensure};
use ed25519_dalek::VerifyingKey;
use reqwest::{Client, Url};
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

/// Where a signed manifest is, and its programs beside it.
#[derive(Debug, Clone)]
pub enum Source {
    /// On this computer.
    File(PathBuf),
    /// Somewhere else.
    Url(Url),
}

/// A line that brings nothing for so long is given up.
const SILENCE: Duration = Duration::from_mins(1);
/// A program that cannot even say its version is not tried.
const VERSION_TIMEOUT: Duration = Duration::from_secs(20);
/// Left free on the disk.
const SPARE_BYTES: u64 = 64 << 20;

impl Source {
    /// What somebody wrote: an address, or the name of a file.
    pub fn parse(text: &str) -> Result<Self> {
        if text.starts_with("https://") || text.starts_with("http://") {
            return Ok(Self::Url(Url::parse(text).with_context(|| format!("{text} is no URL"))?));
        }
        Ok(Self::File(std::path::absolute(text)?))
    }

    /// The signed manifest; nothing is checked yet.
    pub async fn manifest(&self, client: &Client) -> Result<Signed> {
        let limit = u64::try_from(MAX_MANIFEST_BYTES)?;
        let bytes = match self {
            Self::File(file) => {
                let mut bytes = Vec::new();
                let opened =
                    File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
                opened.take(limit).read_to_end(&mut bytes)?;
                bytes
            }
            Self::Url(url) => {
                let answer = timeout(SILENCE, client.get(url.clone()).send()).await??;
                let answer = answer.error_for_status()?;
                timeout(SILENCE, crate::uplink::http::body(answer, MAX_MANIFEST_BYTES))
                    .await?
                    .map_err(|failure| anyhow::anyhow!("{url}: {failure}"))?
            }
        };
        Signed::parse(&bytes)
    }

    /// Brings a packed program to a file of ours.
    async fn fetch(&self, client: &Client, program: &Program, to: &Path) -> Result<()> {
        match self {
            Self::File(manifest) => {
                let from = manifest.with_file_name(&program.file);
                let size = fs::metadata(&from)
                    .with_context(|| format!("cannot open {}", from.display()))?
                    .len();
                ensure!(size == program.packed_size, "{} has another size", program.file);
                fs::copy(&from, to)?;
            }
            Self::Url(manifest) => {
                let url = manifest.join(&program.file)?;
                let mut answer =
                    timeout(SILENCE, client.get(url).send()).await??.error_for_status()?;
                let mut file = tokio::fs::File::create(to).await?;
                let mut length = 0;
                while let Some(chunk) = timeout(SILENCE, answer.chunk()).await?? {
                    length += chunk.len() as u64;
                    ensure!(length <= program.packed_size, "{} is too long", program.file);
                    file.write_all(&chunk).await?;
                }
                file.flush().await?;
                ensure!(length == program.packed_size, "{} is too short", program.file);
            }
        }
        Ok(())
    }
}

/// Stages the release of a manifest that was admitted.
pub async fn stage(
    releases: &Releases,
    source: &Source,
    client: &Client,
    signed: &Signed,
    trusted: &[VerifyingKey],
) -> Result<Manifest> {
    let manifest = signed.verify(trusted)?;
    if is_there(releases, &manifest, trusted) {
        return Ok(manifest);
    }
    let programs = manifest.programs_here()?.to_vec();
    let staging = releases.staging(manifest.version)?;
    ensure_room(&staging, &programs)?;
    for program in &programs {
        let packed = staging.join(&program.file);
        source.fetch(client, program, &packed).await?;
        fault::point("fetched");
        let (program, folder) = (program.clone(), staging.clone());
        tokio::task::spawn_blocking(move || unpack(&packed, &program, &folder)).await??;
    }
    ensure_starts(&staging.join(super::manifest::AGENT)).await?;
    releases.keep(manifest.version, &staging, signed)?;
    Ok(manifest)
}

/// Whether it was staged before, and nothing has happened to it.
fn is_there(releases: &Releases, manifest: &Manifest, trusted: &[VerifyingKey]) -> bool {
    let folder = releases.of_version(manifest.version);
    let is_same = releases.manifest(manifest.version, trusted).is_ok_and(|kept| kept == *manifest);
    let programs = manifest.programs_here().unwrap_or_default();
    is_same && programs.iter().all(|program| check(&folder.join(&program.name), program).is_ok())
}

fn ensure_room(folder: &Path, programs: &[Program]) -> Result<()> {
    let needed = programs.iter().map(|program| program.size + program.packed_size).sum::<u64>();
    let disk = rustix::fs::statvfs(folder)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    ensure!(free >= needed + SPARE_BYTES, "the release needs {needed} bytes, {free} are free");
    Ok(())
}

fn unpack(packed: &Path, program: &Program, folder: &Path) -> Result<()> {
    let to = folder.join(&program.name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o755).open(&to)?;
    // One byte more than it may have is enough to see that it has too many.
    let mut unpacked = zstd::stream::read::Decoder::new(BufReader::new(File::open(packed)?))?
        .take(program.size + 1);
    std::io::copy(&mut unpacked, &mut file)
        .with_context(|| format!("{} is damaged", program.file))?;
    file.flush()?;
    file.sync_all()?;
    drop(file);
    fs::remove_file(packed)?;
    check(&to, program).with_context(|| format!("{} is not what was signed", program.file))
}

/// The wrong processor or a missing library shows before anything is switched.
async fn ensure_starts(agent: &Path) -> Result<()> {
    let mut command = tokio::process::Command::new(agent);
    command.arg("--version").kill_on_drop(true).stdin(std::process::Stdio::null());
    let output =
        timeout(VERSION_TIMEOUT, command.output()).await.context("it does not say its version")?;
    let output = output.context("its agent cannot be started here")?;
    if !output.status.success() {
        bail!(
            "its agent ends with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
