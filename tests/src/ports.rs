//! Free ports for programs that are restarted on the same address.

use anyhow::{Context as _, Result};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Below the range that the kernel gives to outgoing connections, so that a port is still free when its program is started
/// again.
const FIRST: u16 = 12_000;
const COUNT: u64 = 20_000;

/// Locks of the ports that this process has given out. They end with it.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port of loopback that nobody uses, and that no other test is given while this process lives: its program may begin to
/// listen much later, and anew after a kill.
pub fn free() -> Result<SocketAddr> {
    let folder = std::env::temp_dir().join("gymwire-test-ports");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    for _ in 0..100 {
        let random = uuid::Uuid::now_v7().as_u64_pair().1 % COUNT;
        let port = FIRST + u16::try_from(random).unwrap_or(0);
        let lock = folder.join(port.to_string());
        let lock = File::create(&lock).with_context(|| lock.display().to_string())?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if lock.try_lock().is_ok() && TcpListener::bind(address).is_ok() {
            HELD.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
            return Ok(address);
        }
    }
    anyhow::bail!("no free port on loopback")
}
