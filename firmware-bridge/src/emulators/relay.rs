//! A relay: a unix socket whose server sees `on` and `off`, remembers when, and takes the end of a connection for off.
//!
//! As with a real board, only one program at a time has its input: a second one waits until the first is gone.

use anyhow::{Context, Result};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What a relay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switched {
    /// Whether it was switched on.
    pub is_on: bool,
    /// Since the relay was made.
    pub at: Duration,
}

/// An emulated relay. Dropping it takes it away.
#[derive(Debug)]
pub struct Relay {
    path: PathBuf,
    log: Arc<Mutex<Vec<Switched>>>,
    is_on: watch::Receiver<bool>,
    is_used: watch::Receiver<bool>,
    _task: JoinSet<()>,
}

impl Relay {
    /// A relay at a socket; one that a killed emulator left there is replaced.
    pub fn plug_in(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let (on, is_on) = watch::channel(false);
        let (used, is_used) = watch::channel(false);
        let mut task = JoinSet::new();
        let coil = Coil { log: log.clone(), on, used, origin: Instant::now() };
        task.spawn(coil.serve(listener));
        Ok(Self { path: path.to_owned(), log, is_on, is_used, _task: task })
    }

    /// Whether it is on now.
    pub fn is_on(&self) -> bool {
        *self.is_on.borrow()
    }

    /// Waits until no program has its input: whatever the last one said has been obeyed.
    pub async fn released(&self) {
        // The task that serves it lives as long as `self`.
        let _ = self.is_used.clone().wait_for(|is_used| !is_used).await;
    }

    /// Waits until it is on, or off.
    pub async fn becomes(&self, is_on: bool) {
        // The task that switches it lives as long as `self`.
        let _ = self.is_on.clone().wait_for(|now| *now == is_on).await;
    }

    /// Waits until a program has its input.
    pub async fn used(&self) {
        let _ = self.is_used.clone().wait_for(|is_used| *is_used).await;
    }

    /// Each time it was switched over.
    pub fn log(&self) -> Vec<Switched> {
        lock(&self.log).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // A socket that is gone already is as good.
        let _ = fs::remove_file(&self.path);
    }
}

/// The side of the relay that moves.
struct Coil {
    log: Arc<Mutex<Vec<Switched>>>,
    on: watch::Sender<bool>,
    used: watch::Sender<bool>,
    origin: Instant,
}

impl Coil {
    async fn serve(self, listener: UnixListener) {
        while let Ok((driver, _)) = listener.accept().await {
            self.used.send_replace(true);
            self.follow(driver).await;
            self.switch(false);
            self.used.send_replace(false);
        }
    }

    async fn follow(&self, driver: UnixStream) {
        let mut lines = BufReader::new(driver).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            match line.as_str() {
                "on" => self.switch(true),
                "off" => self.switch(false),
                // A board does not know other words either.
                _ => {}
            }
        }
    }

    fn switch(&self, is_on: bool) {
        if *self.on.borrow() != is_on {
            let at = self.origin.elapsed();
            lock(&self.log).push(Switched { is_on, at });
            self.on.send_replace(is_on);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says what it does, until it is killed.
pub(super) async fn play(path: &Path) -> Result<()> {
    let relay = Relay::plug_in(path).with_context(|| format!("cannot make {}", path.display()))?;
    writeln!(io::stdout(), "relay is at unix:{}", path.display())?;
    let mut is_on = relay.is_on.clone();
    while is_on.changed().await.is_ok() {
        let word = if *is_on.borrow_and_update() { "on" } else { "off" };
        writeln!(io::stdout(), "{word}")?;
    }
    Ok(())
}
