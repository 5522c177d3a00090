//! One agent per state folder: two writers of one journal would number their entries alike.

use anyhow::{Context as _, Result, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::path::Path;

/// Holds the folder until it is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct FolderLock(
    #[expect(dead_code, reason = "the lock lives as long as the file is open")] File,
);

impl FolderLock {
    /// Takes the folder.
    pub fn take(state_dir: &Path) -> Result<Self> {
        super::durable::private_folder(state_dir)?;
        let path = state_dir.join("agent.lock");
        // On a disk that cannot be written the agent runs nevertheless: a lock needs no writing.
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .or_else(|_| File::open(&path))
            .or_else(|_| File::open(state_dir))
            .with_context(|| format!("cannot open {}", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(file)),
            Err(Errno::WOULDBLOCK) => bail!(
                "another edge agent is running on {} (configuration key `agent.state_dir`)",
                state_dir.display()
            ),
            Err(error) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_by_one_agent_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();

        let second = FolderLock::take(folder.path()).unwrap_err();
        drop(first);

        assert!(second.to_string().contains("another edge agent"));
        FolderLock::take(folder.path()).unwrap();
    }
}
