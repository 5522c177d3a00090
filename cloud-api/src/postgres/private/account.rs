//! Who the server runs as. Postgres refuses root, so root lends it user `postgres` or `nobody`.

use anyhow::{Context, ensure};
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;
use tokio::process::Command;

/// The user of the server's process and files.
#[derive(Debug)]
pub(super) struct Account {
    pub uid: u32,
    gid: u32,
    /// This process is root and changes to that user.
    is_lent: bool,
}

impl Account {
    pub fn for_server() -> anyhow::Result<Self> {
        let uid = rustix::process::geteuid();
        if !uid.is_root() {
            let gid = rustix::process::getegid().as_raw();
            return Ok(Self { uid: uid.as_raw(), gid, is_lent: false });
        }
        let users = fs::read_to_string("/etc/passwd").context("/etc/passwd cannot be read")?;
        let (uid, gid) = ["postgres", "nobody"]
            .iter()
            .find_map(|name| find(&users, name))
            .context("as root, the private Postgres needs a user `postgres` or `nobody`")?;
        Ok(Self { uid, gid, is_lent: true })
    }

    /// A command that runs as this user.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        // The folder we were started in may be closed to that user.
        command.current_dir("/").env("LC_ALL", "C").stdin(std::process::Stdio::null());
        // Whether the service is ready is not for its database to say.
        command.env_remove("NOTIFY_SOCKET");
        if self.is_lent {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Makes a folder that only this user reads.
    pub fn own_folder(&self, folder: &Path) -> anyhow::Result<()> {
        let describe = || format!("{} cannot be made", folder.display());
        if let Some(parent) = folder.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(parent).with_context(describe)?;
        }
        if !folder.exists() {
            DirBuilder::new().mode(0o700).create(folder).with_context(describe)?;
        }
        let found = fs::symlink_metadata(folder).with_context(describe)?;
        ensure!(found.is_dir(), "{} is no folder", folder.display());
        if self.is_lent && found.uid() != self.uid {
            chown(folder, Some(self.uid), Some(self.gid)).with_context(describe)?;
        }
        let owner = fs::symlink_metadata(folder).with_context(describe)?.uid();
        ensure!(owner == self.uid, "{} belongs to another user", folder.display());
        fs::set_permissions(folder, Permissions::from_mode(0o700)).with_context(describe)
    }

    /// Makes an empty file that this user writes, or leaves the one there is.
    pub fn own_file(&self, path: &Path) -> anyhow::Result<()> {
        let describe = || format!("{} cannot be written", path.display());
        fs::File::options().create(true).append(true).open(path).with_context(describe)?;
        if self.is_lent {
            chown(path, Some(self.uid), Some(self.gid)).with_context(describe)?;
        }
        Ok(())
    }
}

/// User and group number of a name in the text of `/etc/passwd`.
fn find(users: &str, name: &str) -> Option<(u32, u32)> {
    users.lines().find_map(|line| {
        let mut columns = line.split(':');
        (columns.next() == Some(name)).then_some(())?;
        let uid = columns.nth(1)?.parse().ok()?;
        let gid = columns.next()?.parse().ok()?;
        Some((uid, gid))
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let users = "postgres2:x:1:2::/:/bin/sh\npostgres:x:101:104:,,,:/var/lib:/bin/bash\n";

        assert_eq!(find(users, "postgres"), Some((101, 104)));
        assert_eq!(find(users, "nobody"), None);
    }
}
