//! Files that are either wholly there or not at all, whenever the power fails.

use anyhow::{Context as _, Result};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Replaces the file's content, readable by the owner only: temporary file, sync, rename, sync of the folder.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file lies in a folder")?;
    private_folder(folder)?;
    let mut name = path.file_name().context("a file has a name")?.to_owned();
    name.push(".tmp");
    let temporary = folder.join(name);
    write_synced(&temporary, content)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_folder(folder))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Renames a file within its folder so that the new name outlives a power cut.
pub fn rename_synced(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().context("a file lies in a folder")?;
    fs::rename(from, to)
        .and_then(|()| sync_folder(folder))
        .with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
}

/// Makes a folder that only its owner may enter, with those above it.
pub fn private_folder(folder: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))
}

fn write_synced(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes a folder's list of files durable.
pub fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_private_file_is_replaced_whole_and_read_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity/edge.key");
        write_private(&path, b"a long first content").unwrap();

        write_private(&path, b"short").unwrap();

        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
