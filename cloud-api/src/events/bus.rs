//! Postgres' LISTEN/NOTIFY, heard over one connection per process and handed to whoever waits.
//!
//! A signal says only where to look. After anything that may have lost signals, everybody looks.

use crate::ids::BranchId;
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgNotification};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

/// Something changed in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// There is a new version of what a branch's edge is told.
    Changes(BranchId),
    /// There is a new command for a branch.
    Commands(BranchId),
    /// Another instance has stored a newer state of a branch's floor.
    Live(BranchId),
    /// Somebody looks at a branch's floor.
    Watched(BranchId),
    /// Signals may have been lost.
    Any,
}

/// Hands signals to everybody in this process who subscribed. A slow subscriber loses the oldest ones and
/// is told so, which it takes for [`Signal::Any`].
#[derive(Debug, Clone)]
pub struct Bus(Sender<Signal>);

impl Default for Bus {
    fn default() -> Self {
        Self(Sender::new(CAPACITY))
    }
}

const CAPACITY: usize = 1024;

impl Bus {
    /// Hears what is signalled from now on.
    pub fn subscribe(&self) -> Receiver<Signal> {
        self.0.subscribe()
    }

    fn send(&self, signal: Signal) {
        // An error only says that nobody listens.
        let _ = self.0.send(signal);
    }
}

/// Listens until `stop`; without a database it tries again.
pub async fn run(bus: Bus, db: PgPool, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        let error = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Err(error) = listen(&bus, &db) => error,
        };
        if matches!(error, sqlx::Error::PoolClosed) {
            return Ok(());
        }
        tracing::warn!(%error, "the database's notifications are not heard");
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = sleep(RETRY) => {}
        }
    }
}

const RETRY: Duration = Duration::from_millis(500);

/// Ends with an error only.
async fn listen(bus: &Bus, db: &PgPool) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(db).await?;
    listener.listen_all(CHANNELS).await?;
    loop {
        bus.send(Signal::Any);
        // `None` is a lost connection: what was sent meanwhile is lost too.
        while let Some(notification) = listener.try_recv().await? {
            bus.send(signal(&notification).unwrap_or(Signal::Any));
        }
    }
}

const CHANNELS: [&str; 4] = ["branch_changes", "branch_commands", "branch_live", "branch_watched"];

fn signal(notification: &PgNotification) -> Option<Signal> {
    let branch = notification.payload().parse().ok()?;
    match notification.channel() {
        "branch_changes" => Some(Signal::Changes(branch)),
        "branch_commands" => Some(Signal::Commands(branch)),
        "branch_live" => Some(Signal::Live(branch)),
        "branch_watched" => Some(Signal::Watched(branch)),
        _ => None,
    }
}

/// Waits for a signal; `false` when time is over.
pub async fn wait_for(signals: &mut Receiver<Signal>, wanted: Signal, until: Instant) -> bool {
    loop {
        match timeout_at(until, signals.recv()).await {
            Ok(Ok(signal)) if signal == wanted || signal == Signal::Any => return true,
            Ok(Ok(_)) => {}
            Ok(Err(RecvError::Lagged(_))) => return true,
            Ok(Err(RecvError::Closed)) | Err(_) => return false,
        }
    }
}
