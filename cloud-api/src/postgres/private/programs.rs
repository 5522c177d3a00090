//! Finds the programs of the Postgres server: on the path, in Debian's folders, or where `pg_config` says.

use anyhow::{Context, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs of one installed version.
#[derive(Debug)]
pub(super) struct Programs {
    pub initdb: PathBuf,
    pub pg_ctl: PathBuf,
    major: u32,
}

impl Programs {
    /// The newest version that is installed, or the one that wrote `data`.
    pub fn find(data: &Path) -> anyhow::Result<Self> {
        let wanted = written_by(data);
        let mut found: Vec<_> = folders().iter().filter_map(|folder| Self::of(folder)).collect();
        found.sort_by_key(|programs| programs.major);
        let position = wanted.and_then(|major| found.iter().position(|p| p.major == major));
        let newest = found.len().checked_sub(1);
        match position.or(newest) {
            Some(index) if found[index].major >= MIN_MAJOR => Ok(found.swap_remove(index)),
            Some(index) => bail!(
                "Postgres {} is too old, {MIN_MAJOR} is needed: `apt-get install postgresql`, or set DATABASE_URL",
                found[index].major
            ),
            None => bail!(
                "no Postgres server is installed: `apt-get install postgresql`, or set DATABASE_URL to one"
            ),
        }
    }

    /// Fails if `data` was written by another version.
    pub fn ensure_version(&self, data: &Path) -> anyhow::Result<()> {
        match written_by(data) {
            Some(major) if major != self.major => bail!(
                "{} was written by Postgres {major}, but only {} is installed: \
                 `apt-get install postgresql-{major}`, or move the folder away",
                data.display(),
                self.major
            ),
            _ => Ok(()),
        }
    }

    fn of(folder: &Path) -> Option<Self> {
        let programs = ["initdb", "pg_ctl", "postgres"].map(|name| folder.join(name));
        if !programs.iter().all(|program| program.is_file()) {
            return None;
        }
        let [initdb, pg_ctl, postgres] = programs;
        let said = Command::new(postgres).arg("--version").output().ok()?;
        let major = major(&String::from_utf8_lossy(&said.stdout))?;
        Some(Self { initdb, pg_ctl, major })
    }
}

/// Features of this version are used (`UNIQUE NULLS NOT DISTINCT`, `MERGE`).
const MIN_MAJOR: u32 = 15;

/// Links are followed, so that one installation is looked at once.
fn folders() -> BTreeSet<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path);
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = debian.flatten().map(|version| version.path().join("bin"));
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured =
        configured.map(|said| PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()));
    on_path
        .chain(debian)
        .chain(configured)
        .filter_map(|folder| fs::canonicalize(folder.join("initdb")).ok())
        .filter_map(|initdb| initdb.parent().map(Path::to_owned))
        .collect()
}

fn written_by(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` → 15
fn major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2).context("no version").ok()?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_read_from_releases_and_betas() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19beta2"), Some(19));
        assert_eq!(major("something else"), None);
    }
}
