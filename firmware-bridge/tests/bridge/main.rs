//! The bridge against a small broker of our own, emulated scanners and the real program.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "in a test a panic is the report, and seeds are printed"
)]

mod board_faults;
mod boards;
mod broker;
mod console_faults;
mod consoles;
mod doors;
mod hearing;

mod keyboards;
mod link;
mod nfc;
mod probing;
mod program;
mod publishing;
mod scanning;
mod sick_devices;
mod tls;

use firmware_bridge::config::{AgentConfig, Config, LogConfig, QueueKeys};
use std::path::Path;
use std::time::Duration;

/// Waits for a condition; what it is called is told when it does not come.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(20), wait).await.is_ok(),
        "waited in vain: {what}"
    );
}

/// The same for a condition that must be asked for.
async fn until_true<F: Future<Output = std::io::Result<bool>>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) {
    let wait = async {
        while !condition().await.unwrap() {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(20), wait).await.is_ok(),
        "waited in vain: {what}"
    );
}

/// An agent to connect to, with the secret in a file of `folder`.
fn agent(folder: &Path, port: u16) -> AgentConfig {
    let password_file = folder.join("secret");
    std::fs::write(&password_file, "s3cret\n").unwrap();
    AgentConfig {
        host: "localhost".into(),
        port: Some(port),
        ca_file: None,
        server_name: None,
        username: "bridge-1".parse().unwrap(),
        password_file,
        keep_alive_s: 30,
    }
}

/// A bridge without devices, with its queue in `folder`.
fn bare(folder: &Path, port: u16) -> Config {
    Config {
        agent: agent(folder, port),
        queue: QueueKeys { path: folder.join("queue"), max_bytes: 1 << 20 },
        log: LogConfig::default(),
        nfc: Vec::new(),
        scanner: Vec::new(),
        door: Vec::new(),
        keyboard: Vec::new(),
        board: Vec::new(),
        csafe: Vec::new(),
    }
}
