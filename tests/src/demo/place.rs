//! Where the demo runs: its folder and its ports, with a clear word when one cannot be had.

use crate::edge;
use crate::ports;
use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::{FlockOperation, flock, statvfs};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

/// Free space that Postgres and the journal want.
const FREE_BYTES: u64 = 512 * 1024 * 1024;
/// Files that stay when the folder is cleared.
const LOCK: &str = "demo.lock";

/// The folder is ours while this lives.
#[derive(Debug)]
pub struct Held {
    _lock: File,
}

/// Makes the folder and takes it, unless another demo has it or the disk is full.
pub fn hold(folder: &Path) -> Result<Held> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let disk = statvfs(folder)?;
    let free = disk.f_bavail * disk.f_frsize;
    ensure!(
        free >= FREE_BYTES,
        "the disk is full: {} MB are free for {}, the demo needs {} MB",
        free >> 20,
        folder.display(),
        FREE_BYTES >> 20
    );
    let lock = File::create(folder.join(LOCK))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        bail!("another demo runs in {}: stop it first (Ctrl-C where it runs)", folder.display());
    }
    Ok(Held { _lock: lock })
}

/// Every demo starts from nothing.
pub fn clear(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.ends_with(LOCK) {
            continue;
        }
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// Where everything listens.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// The cloud.
    pub http: SocketAddr,
    /// The edge.
    pub edge: edge::Ports,
}

impl Ports {
    /// The usual ports, and others for those that somebody else has; or free ones for all.
    pub fn choose(free: bool, say: &dyn Fn(&str)) -> Result<Self> {
        let choose = |port: u16, what: &str| -> Result<SocketAddr> {
            let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if !free && TcpListener::bind(usual).is_ok() {
                return Ok(usual);
            }
            let other = ports::free()?;
            if !free {
                say(&format!("port {port} is in use by another program: {what} is on {other}"));
            }
            Ok(other)
        };
        Ok(Self {
            http: choose(8080, "the cloud")?,
            edge: edge::Ports {
                mqtt: choose(1883, "MQTT")?,
                mqtts: choose(8883, "MQTT over TLS")?,
                ops: choose(9090, "the edge's health")?,
                staff: choose(8090, "the staff page")?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_port_in_use_is_named_and_another_one_is_taken() -> Result<()> {
        // Whoever has it, we or somebody else: it is in use.
        let _taken =
            [8080, 1883, 8883, 9090, 8090].map(|port| TcpListener::bind(("127.0.0.1", port)));
        let said = Mutex::new(Vec::new());

        let ports = Ports::choose(false, &|text| said.lock().unwrap().push(text.to_owned()))?;

        let said = said.into_inner()?;
        assert_eq!(said.len(), 5, "{said:?}");
        let http = ports.http.port();
        assert_ne!(http, 8080);
        assert_eq!(
            said[0],
            format!("port 8080 is in use by another program: the cloud is on 127.0.0.1:{http}")
        );
        Ok(())
    }

    #[test]
    fn a_second_demo_in_a_folder_is_refused() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let _first = hold(folder.path())?;

        let second = hold(folder.path()).unwrap_err();

        assert!(second.to_string().contains("another demo runs in"));
        Ok(())
    }
}
