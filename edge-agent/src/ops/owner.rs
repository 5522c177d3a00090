//! Commands that root types work in a folder of the service's user, who has to keep house there.

use anyhow::{Context as _, Result};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::Path;

/// Gives what is in `tree` to the owner of a folder. Does nothing if that is who asks.
pub fn give(tree: &Path, to_owner_of: &Path) -> Result<()> {
    let owner = fs::metadata(to_owner_of)?;
    if owner.uid() == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)?.flatten() {
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
            lchown(entry.path(), Some(owner.uid()), Some(owner.gid()))
                .with_context(|| format!("cannot give {} away", entry.path().display()))?;
        }
    }
    Ok(lchown(tree, Some(owner.uid()), Some(owner.gid()))?)
}
