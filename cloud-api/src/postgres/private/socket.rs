//! Where the server's unix socket is: the kernel takes at most 107 bytes, and temporary folders may be deep.

use super::account::Account;
use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A folder of the server's own for its socket.
pub(super) fn folder(server: &Path, account: &Account) -> anyhow::Result<PathBuf> {
    let beside = server.join("run");
    let digest = hex::encode(&Sha256::digest(server.as_os_str().as_bytes())[..6]);
    let short = Path::new("/tmp").join(format!("gymwire-{}-{digest}", account.uid));
    let folder = if fits(&beside) { beside } else { short };
    ensure!(fits(&folder), "{} is too long for a socket", folder.display());
    account.own_folder(&folder)?;
    Ok(folder)
}

/// Where the running server of a data folder listens; the server writes that into its pid file.
pub(super) fn of_running(data: &Path) -> anyhow::Result<PathBuf> {
    let path = data.join("postmaster.pid");
    let text =
        fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let folder = text.lines().nth(4).filter(|line| line.starts_with('/'));
    folder.map(PathBuf::from).with_context(|| format!("{} names no socket", path.display()))
}

fn fits(folder: &Path) -> bool {
    folder.join(".s.PGSQL.5432.lock").as_os_str().len() <= MAX_SOCKET_PATH
}

/// `sun_path` has 108 bytes, the last of them zero.
const MAX_SOCKET_PATH: usize = 107;

#[cfg(test)]
mod tests {
    use super::fits;
    use std::path::Path;

    #[test]
    fn a_path_fits_up_to_the_limit_of_the_kernel() {
        let of_len = |len: usize| format!("/{}", "x".repeat(len - 1));

        assert!(fits(Path::new(&of_len(107 - 19))));
        assert!(!fits(Path::new(&of_len(108 - 19))));
    }
}
