//! Checkpoints on a thread of their own: moving the log into the file takes as long as it takes, commits go on.

use super::config::Synchronous;
use super::connection;
use super::reader::lock;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Pages in the log, and how many of them are in the file.
pub type Progress = (u64, u64);
/// Nothing is known if another checkpoint was running.
pub type Outcome = Option<Progress>;

/// The thread.
pub struct Checkpointer {
    requests: Option<SyncSender<()>>,
    result: Arc<Mutex<Option<Outcome>>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts it.
    pub fn start(path: PathBuf, synchronous: Synchronous) -> std::io::Result<Self> {
        // One request may wait while one is carried out; more would ask for the same.
        let (requests, inbox) = sync_channel(1);
        let result = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&result);
        let thread = std::thread::Builder::new()
            .name("journal-checkpoint".to_owned())
            .spawn(move || follow(&inbox, &path, synchronous, &shared))?;
        Ok(Self { requests: Some(requests), result, thread: Some(thread) })
    }

    /// Asks for a checkpoint.
    pub fn request(&self) {
        if let Some(requests) = &self.requests {
            // Full: one is waiting already.
            let _ = requests.try_send(());
        }
    }

    /// The result of the last one, once.
    pub fn result(&self) -> Option<Outcome> {
        lock(&self.result).take()
    }

    /// Waits for its end; its connection is closed then.
    pub fn stop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn follow(
    inbox: &Receiver<()>,
    path: &std::path::Path,
    synchronous: Synchronous,
    result: &Mutex<Option<Outcome>>,
) {
    let mut open: Option<Connection> = None;
    while inbox.recv().is_ok() {
        if open.is_none() {
            open = connection::checkpointing(path, synchronous)
                .inspect_err(|error| tracing::warn!(%error, "no checkpoint of the journal"))
                .ok();
        }
        let Some(connection) = &open else {
            *lock(result) = Some(None);
            continue;
        };
        match run(connection) {
            Ok(progress) => *lock(result) = Some(progress),
            Err(error) => {
                tracing::warn!(%error, "no checkpoint of the journal");
                *lock(result) = Some(None);
            }
        }
    }
}

/// Moves what it can without waiting for anybody. Nothing, if another checkpoint is running.
pub fn run(connection: &Connection) -> rusqlite::Result<Outcome> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let pages = |column| row.get::<_, i64>(column).map(|pages| u64::try_from(pages).ok());
        Ok(pages(1)?.zip(pages(2)?))
    })
}

/// Moves everything and gives the log's space back to the disk; waits for readers, but not for ever.
pub fn truncate(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
