//! `edge-agent backup` and `restore`.

use super::say;
use crate::config::Config;
use crate::ops::backup::{self, Passphrase};
use crate::ops::clock::Clock;
use crate::ops::lock::FolderLock;
use crate::ops::owner;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// Writes a backup; the agent may run.
pub(super) async fn back_up(config: &Config, file: PathBuf, secret: Option<PathBuf>) -> Result<()> {
    let passphrase = secret.as_deref().map(passphrase).transpose()?;
    let (state_dir, now_ms) = (config.agent.state_dir.clone(), Clock::system().wall_ms());
    let to = file.clone();
    let work = move || backup::backup(&state_dir, &to, passphrase.as_ref(), now_ms);
    let contents = tokio::task::spawn_blocking(work).await??;
    let sealed = if secret.is_some() {
        "sealed"
    } else {
        "not sealed: whoever reads it has the edge's keys"
    };
    say(&format!("wrote {} ({} files, {sealed})", file.display(), contents.files.len()))
}

/// Puts a backup in the place of what there is; no agent may run.
pub(super) async fn restore(
    config: &Config,
    file: PathBuf,
    secret: Option<PathBuf>,
    replace: bool,
) -> Result<()> {
    let passphrase = secret.as_deref().map(passphrase).transpose()?;
    let (state_dir, now_ms) = (config.agent.state_dir.clone(), Clock::system().wall_ms());
    let lock = FolderLock::take(&state_dir)?;
    let folder = state_dir.clone();
    let work = move || backup::restore(&folder, &file, passphrase.as_ref(), replace, now_ms);
    let contents = tokio::task::spawn_blocking(work).await??;
    owner::give(&state_dir, &state_dir)?;
    drop(lock);
    say(&format!(
        "restored {} files of agent {}; the agent goes on from there with its next start",
        contents.files.len(),
        contents.agent
    ))
}

fn passphrase(file: &Path) -> Result<Passphrase> {
    let text = Passphrase::new(
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
    );
    // An editor ends the line.
    Ok(Passphrase::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}
