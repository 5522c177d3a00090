//! A firmware bridge as a real process, with emulated QR scanners on pseudo terminals as its hardware.

use crate::mqtt::Login;
use crate::process::Process;
use crate::wait;
use anyhow::{Context as _, Result};
use firmware_bridge::emulators::scanner::{Scanner, Style};
use firmware_bridge::queue;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// How long a bridge may take until it has opened its scanners.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A bridge, running or not. Its queue and its scanners stay over restarts.
#[derive(Debug)]
pub struct Bridge {
    folder: TempDir,
    scanners: BTreeMap<String, Scanner>,
    process: Option<Process>,
}

impl Bridge {
    /// A bridge that speaks to `agent`, with a scanner for each reader.
    pub fn new(agent: SocketAddr, login: &Login, readers: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut bridge = Self { folder, scanners: BTreeMap::new(), process: None };
        let secret = bridge.path("secret");
        fs::write(&secret, login.password.as_deref().unwrap_or_default())?;
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))?;
        let mut config = format!(
            "agent.host = \"{}\"\nagent.port = {}\nagent.username = \"{}\"\nagent.password_file = \"{}\"\n\
             queue.path = \"{}\"\n",
            agent.ip(),
            agent.port(),
            login.user,
            secret.display(),
            bridge.queue().display()
        );
        for reader in readers {
            let port = bridge.path(&format!("usb-scanner-{reader}"));
            writeln!(config, "[[scanner]]\ncode = \"{reader}\"\nport = \"{}\"", port.display())?;
            let scanner = Scanner::plug_in(&port, Style::default())?;
            bridge.scanners.insert((*reader).to_owned(), scanner);
        }
        fs::write(bridge.path("firmware-bridge.toml"), config)?;
        Ok(bridge)
    }

    /// Adds to its configuration, for the next start.
    pub fn configure(&self, more: &str) -> Result<()> {
        let path = self.path("firmware-bridge.toml");
        let config = fs::read_to_string(&path)?;
        Ok(fs::write(path, format!("{config}{more}\n"))?)
    }

    /// Where its hardware may put names of ports.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it and waits until it has opened every scanner.
    pub async fn start(&mut self) -> Result<()> {
        let config = self.path("firmware-bridge.toml");
        let config = config.to_str().context("the path is UTF-8")?;
        let log = self.path("firmware-bridge.log");
        let process = Process::start("firmware-bridge", ["run", "--config", config], &[], &log)?;
        let opened = async {
            for scanner in self.scanners.values() {
                scanner.opened().await?;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(START_LIMIT, opened)
            .await
            .with_context(|| format!("log of the bridge: {}", process.tail()))??;
        self.process = Some(process);
        Ok(())
    }

    /// The scanner of a reader: to set it up, to pull it out, to send noise.
    pub fn scanner(&mut self, reader: &str) -> Result<&mut Scanner> {
        self.scanners.get_mut(reader).with_context(|| format!("no scanner {reader}"))
    }

    /// Holds a code in front of a scanner.
    pub async fn scan(&self, reader: &str, code: &str) -> Result<()> {
        let scanner = self.scanners.get(reader).with_context(|| format!("no scanner {reader}"))?;
        Ok(scanner.scan(code).await?)
    }

    /// Taps that the agent has not acked yet.
    pub fn waiting(&self) -> Result<usize> {
        Ok(queue::peek(&self.queue())?.len())
    }

    /// Whether a text has reached the queue's file at all, acked or not; see [`Self::taken`].
    pub fn has_taken(&self, text: &str) -> Result<bool> {
        Ok(self.taken(text)? > 0)
    }

    /// How often a text has reached the queue's file, acked or not. The file forgets acked taps when it is rewritten,
    /// so this is for tests with less than 256 KiB of taps.
    pub fn taken(&self, text: &str) -> Result<usize> {
        let bytes = fs::read(self.queue().join("queue"))?;
        Ok(bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count())
    }

    /// Waits until the agent has acked every tap.
    pub async fn drained(&self, limit: Duration) -> Result<()> {
        wait::until_true("the bridge's queue is empty", limit, || async {
            Ok(self.waiting()? == 0)
        })
        .await
    }

    /// `kill -9`.
    pub async fn kill(&mut self) -> Result<()> {
        self.process()?.kill().await?;
        self.process = None;
        Ok(())
    }

    /// SIGTERM, and a clean end.
    pub async fn stop(&mut self) -> Result<()> {
        self.process()?.stop().await?;
        self.process = None;
        Ok(())
    }

    /// The process, while it runs.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("the bridge does not run")
    }

    /// What it has logged.
    pub fn log_text(&self) -> String {
        fs::read_to_string(self.path("firmware-bridge.log")).unwrap_or_default()
    }

    fn queue(&self) -> PathBuf {
        self.path("queue")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
