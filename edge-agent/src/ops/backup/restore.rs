//! Puts a backup in the place of a state folder's content. It is unpacked and checked beside it first; from then on
//! the steps can be repeated, and an agent that starts in between repeats them.
//!
//! Nothing of a backup reuses numbers: each opening of the journal draws an epoch of its own.

use super::seal::{MAGIC, Unseal};
use super::{CONTENTS, Contents, FORMAT, Passphrase, clear, digest, is_database, is_state};
use crate::ops::durable::{private_folder, sync_folder, write_private};
use crate::update::manifest::Databases;
use anyhow::{Context as _, Result, bail, ensure};
use rusqlite::Connection;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Chain, Cursor, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path};

/// Where a backup is unpacked, below the state folder.
const COMING: &str = ".restoring";
/// In there, once everything is checked: where the present content goes.
const CHECKED: &str = "checked";
const MAX_CONTENTS_BYTES: u64 = 16 << 20;

/// Restores a backup into a state folder that the caller has locked. A folder with content is refused, unless it is to
/// be replaced; then that is kept in a folder of its own.
pub fn restore(
    state_dir: &Path,
    file: &Path,
    passphrase: Option<&Passphrase>,
    replace: bool,
    now_ms: i64,
) -> Result<Contents> {
    File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    finish(state_dir)?;
    let is_used = fs::read_dir(state_dir)?
        .flatten()
        .any(|entry| entry.file_name().to_str().is_none_or(is_state));
    ensure!(
        !is_used || replace,
        "{} is not empty; --replace sets its content aside",
        state_dir.display()
    );
    let coming = state_dir.join(COMING);
    clear(&coming)?;
    private_folder(&coming)?;
    let contents = unpack(file, passphrase, &coming)
        .inspect_err(|_| drop(clear(&coming)))
        .with_context(|| format!("{} is not restored", file.display()))?;
    write_private(&coming.join(CHECKED), format!("replaced-{now_ms}").as_bytes())?;
    finish(state_dir)?;
    Ok(contents)
}

/// Goes on with a restore that was interrupted after everything was checked.
pub fn finish(state_dir: &Path) -> Result<()> {
    let coming = state_dir.join(COMING);
    let Ok(aside) = fs::read_to_string(coming.join(CHECKED)) else { return Ok(()) };
    let aside = state_dir.join(aside);
    // All of the old first: a log that stayed would be taken for that of the database that comes.
    let begun = aside.join(".begun");
    if !begun.exists() {
        private_folder(&aside)?;
        for entry in fs::read_dir(state_dir)?.flatten() {
            let name = entry.file_name();
            let is_old = name.to_str().is_none_or(|name| is_state(name) || is_side_file(name));
            if is_old {
                fs::rename(entry.path(), aside.join(name))?;
            }
        }
        sync_folder(state_dir)?;
        write_private(&begun, b"")?;
    }
    for entry in fs::read_dir(&coming)?.flatten() {
        let name = entry.file_name();
        if name != CHECKED {
            fs::rename(entry.path(), state_dir.join(name))?;
        }
    }
    sync_folder(state_dir)?;
    clear(&coming)?;
    fs::remove_file(&begun)?;
    // Empty: nothing was replaced.
    let _ = fs::remove_dir(&aside);
    Ok(())
}

fn is_side_file(name: &str) -> bool {
    name.ends_with(".db-wal") || name.ends_with(".db-shm")
}

type Opened = Chain<Cursor<[u8; MAGIC.len()]>, BufReader<File>>;

fn unpack(file: &Path, passphrase: Option<&Passphrase>, into: &Path) -> Result<Contents> {
    let mut opened = BufReader::new(File::open(file).context("cannot open it")?);
    let mut magic = [0; MAGIC.len()];
    opened.read_exact(&mut magic).context("it is no backup")?;
    match (&magic == MAGIC, passphrase) {
        (true, Some(passphrase)) => read(Unseal::new(opened, passphrase)?, into),
        (true, None) => bail!("it is sealed: --passphrase-file is missing"),
        (false, _) => {
            let whole: Opened = Cursor::new(magic).chain(opened);
            read(whole, into)
        }
    }
}

fn read(from: impl Read, into: &Path) -> Result<Contents> {
    let mut tar = tar::Archive::new(zstd::stream::read::Decoder::new(from)?);
    let mut entries = tar.entries()?;
    let first = entries.next().context("it is no backup")?.context("it is no backup")?;
    ensure!(first.path()?.to_str() == Some(CONTENTS), "it is no backup");
    let mut list = Vec::new();
    first.take(MAX_CONTENTS_BYTES).read_to_end(&mut list)?;
    let contents: Contents = serde_json::from_slice(&list).context("its list cannot be read")?;
    ensure!(contents.format == FORMAT, "its format {} is not known", contents.format);
    Databases::own().ensure_reads(contents.databases).context("a newer agent made it")?;
    for file in &contents.files {
        ensure!(is_safe(&file.name), "it names a file {:?}", file.name);
        let mut entry = entries.next().with_context(|| format!("{} is missing", file.name))??;
        ensure!(entry.path()?.to_str() == Some(&file.name), "{} is missing", file.name);
        let to = into.join(&file.name);
        private_folder(to.parent().context("a file lies in a folder")?)?;
        let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to)?;
        std::io::copy(&mut (&mut entry).take(file.size), &mut out)?;
        out.sync_all()?;
        let (size, sha256) = digest(&mut File::open(&to)?)?;
        let is_same = size == file.size && sha256 == file.sha256;
        ensure!(is_same, "{} is damaged", file.name);
        if is_database(&file.name) {
            ensure_sound(&to).with_context(|| format!("{} is damaged", file.name))?;
        }
    }
    Ok(contents)
}

/// Below the folder, and what a backup of ours would name.
fn is_safe(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    !name.is_empty()
        && parts.all(|part| match part {
            Component::Normal(part) => part.to_str().is_some_and(is_state),
            _ => false,
        })
}

fn ensure_sound(database: &Path) -> Result<()> {
    let connection = Connection::open(database)?;
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    ensure!(said == "ok", "{said}");
    Ok(())
}
