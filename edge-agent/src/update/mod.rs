//! Updates that cannot brick: a signed release is staged beside the one that runs, switched to by one rename, and has
//! to prove itself; if it does not, the launcher takes it back. See `docs/adr/` and `docs/operations.md`.

pub mod databases;
mod fault;
pub mod launch;
pub mod makers;
pub mod manifest;
pub mod releases;
pub mod stage;
pub mod switch;
pub mod trial;
pub mod version;

use anyhow::{Context as _, Result};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::path::Path;

/// Only one at a time stages or switches in a state folder.
#[derive(Debug)]
pub struct UpdateLock(
    #[expect(dead_code, reason = "the lock lives as long as the file is open")] File,
);

impl UpdateLock {
    /// Takes it.
    pub fn take(state_dir: &Path) -> Result<Self> {
        crate::ops::durable::private_folder(&state_dir.join("releases"))?;
        let file = File::create(state_dir.join("releases/.lock"))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .context("another update is going on")?;
        Ok(Self(file))
    }
}
