//! Backup and restore of the state folder: a tar packed by zstd, sealed with a passphrase if there is one. The agent
//! may run meanwhile: databases are copied as `SQLite` copies them, each as of one moment.

mod restore;
mod seal;

pub use restore::{finish, restore};

use crate::ops::durable::{private_folder, sync_folder};
use crate::update::databases::copy;
use crate::update::manifest::Databases;
use anyhow::{Context as _, Result, ensure};
use seal::Seal;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What a backup says about itself; its first file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// 1.
    pub format: u32,
    /// Version of the agent that made it.
    pub agent: String,
    /// Unix milliseconds by the clock of the computer.
    pub made_ms: i64,
    /// The schema versions in it.
    pub databases: Databases,
    /// Everything that follows.
    pub files: Vec<Kept>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its name below the state folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Hex.
    pub sha256: String,
}

/// A passphrase, wiped when it is done with.
pub type Passphrase = Zeroizing<String>;

const CONTENTS: &str = "backup.json";
const FORMAT: u32 = 1;
const PACKING: i32 = 3;
/// Where copies wait to be packed, below the state folder.
const COPIES: &str = ".backup";
/// Folders of others, and what can be had again.
const NOT_OURS: [&str; 3] = ["releases", "firmware-bridge", "lost+found"];

/// Writes a backup to `file`, readable by its owner only; says what is in it.
pub fn backup(
    state_dir: &Path,
    file: &Path,
    passphrase: Option<&Passphrase>,
    now_ms: i64,
) -> Result<Contents> {
    ensure!(
        state_dir.join("branch.db").exists(),
        "{} holds no state of an agent",
        state_dir.display()
    );
    let copies = state_dir.join(COPIES);
    clear(&copies)?;
    let made = collect(state_dir, &copies).and_then(|files| {
        let databases = Databases::found(&copies)?;
        let agent = env!("CARGO_PKG_VERSION").to_owned();
        let files = files.iter().map(|(name, path)| kept(name, path)).collect::<Result<_>>()?;
        let contents = Contents { format: FORMAT, agent, made_ms: now_ms, databases, files };
        write(&contents, state_dir, &copies, file, passphrase)?;
        Ok(contents)
    });
    clear(&copies)?;
    made
}

/// Every file that belongs to the state, and where to read it: databases from their copies.
fn collect(state_dir: &Path, copies: &Path) -> Result<Vec<(String, PathBuf)>> {
    private_folder(copies)?;
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(state_dir.join(&folder))? {
            let entry = entry?;
            let name = entry.file_name().into_string().ok().context("a file's name is no text")?;
            let path = folder.join(&name);
            let kind = entry.file_type()?;
            if kind.is_dir() && is_state(&name) {
                folders.push(path);
            } else if kind.is_file() && is_state(&name) {
                let from = if is_database(&name) && folder.as_os_str().is_empty() {
                    let still = copies.join(&name);
                    copy(&entry.path(), &still)?;
                    still
                } else {
                    entry.path()
                };
                files.push((path.to_str().context("a path is text")?.to_owned(), from));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Not what another program keeps here, what only a running agent needs, or what is half written.
fn is_state(name: &str) -> bool {
    let is_temporary = [".tmp", ".lock", ".sock", ".reserve", ".probe", ".coming-back"]
        .iter()
        .any(|suffix| name.ends_with(suffix));
    let is_log = name.ends_with(".db-wal") || name.ends_with(".db-shm");
    let is_other = ["postgres-", "replaced-", "."].iter().any(|prefix| name.starts_with(prefix));
    !(is_temporary || is_log || is_other || NOT_OURS.contains(&name))
}

fn is_database(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "db")
}

fn kept(name: &str, path: &Path) -> Result<Kept> {
    let (size, sha256) = digest(&mut File::open(path)?)?;
    Ok(Kept { name: name.to_owned(), size, sha256 })
}

/// Length and SHA-256.
fn digest(from: &mut impl Read) -> Result<(u64, String)> {
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    let mut buffer = vec![0; 64 << 10];
    let mut size = 0;
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return Ok((size, hex::encode(digest.finish())));
        }
        size += length as u64;
        digest.update(&buffer[..length]);
    }
}

fn write(
    contents: &Contents,
    state_dir: &Path,
    copies: &Path,
    file: &Path,
    passphrase: Option<&Passphrase>,
) -> Result<()> {
    let file = std::path::absolute(file)?;
    let folder = file.parent().context("FILE names no file")?;
    let mut temporary = file.clone().into_os_string();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let mut options = OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary);
    let mut out = opened.with_context(|| format!("cannot write {}", file.display()))?;
    if let Some(passphrase) = passphrase {
        let mut sealed = Seal::new(&mut out, passphrase)?;
        pack(contents, state_dir, copies, &mut sealed)?;
        sealed.finish()?;
    } else {
        pack(contents, state_dir, copies, &mut out)?;
    }
    out.sync_all()?;
    fs::rename(&temporary, &file)?;
    Ok(sync_folder(folder)?)
}

fn pack(contents: &Contents, state_dir: &Path, copies: &Path, out: &mut impl Write) -> Result<()> {
    let packed = zstd::stream::write::Encoder::new(out, PACKING)?;
    let mut tar = tar::Builder::new(packed);
    let list = serde_json::to_vec_pretty(contents)?;
    append(&mut tar, CONTENTS, list.len() as u64, list.as_slice())?;
    for file in &contents.files {
        let still = copies.join(&file.name);
        let from = if still.exists() { still } else { state_dir.join(&file.name) };
        // Shorter or longer than it was: the checksum would not hold.
        let opened = File::open(from)?;
        let is_whole = opened.metadata()?.len() == file.size;
        ensure!(is_whole, "{} has just changed, try again", file.name);
        append(&mut tar, &file.name, file.size, opened)?;
    }
    tar.into_inner()?.finish()?;
    Ok(())
}

fn append(
    tar: &mut tar::Builder<impl Write>,
    name: &str,
    size: u64,
    content: impl Read,
) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o600);
    tar.append_data(&mut header, name, content.take(size))?;
    Ok(())
}

fn clear(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot clear {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
