//! Postgres' LISTEN/NOTIFY, heard over one connection per process and handed to whoever waits.
//!
//! A signal says only where to look. After anything that may have lost signals, everybody looks. A beat of our own
//! tells whether the bus is heard: notifications arrive in the order of their commits, so once a beat came back,
//! everything that was told before it has come as well.

use crate::ids::{BranchId, UserId};
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgNotification};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Something changed in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// There is a new version of what a branch's edge is told.
    Changes(BranchId),
    /// There is a new command for a branch.
    Commands(BranchId),
    /// A branch has said what came of a command.
    Answers(BranchId),
    /// Another instance has stored a newer state of a branch's floor.
    Live(BranchId),
    /// Somebody looks at a branch's floor.
    Watched(BranchId),
    /// A user's role, branches, plan, status, logins or profile have changed.
    User(UserId),
    /// Events have arrived in the log.
    Events,
    /// Signals may have been lost.
    Any,
}

/// Hands signals to everybody in this process who subscribed. A slow subscriber loses the oldest ones and
/// is told so, which it takes for [`Signal::Any`].
#[derive(Clone)]
pub struct Bus {
    sender: Sender<Signal>,
    /// Called before subscribers are woken.
    hooks: Arc<RwLock<Vec<Hook>>>,
    /// When the beat that came back last was sent.
    beat: Arc<Mutex<Option<Instant>>>,
}

type Hook = Box<dyn Fn(Signal) + Send + Sync>;

impl Default for Bus {
    fn default() -> Self {
        Self { sender: Sender::new(CAPACITY), hooks: Arc::default(), beat: Arc::default() }
    }
}

const CAPACITY: usize = 1024;

impl Bus {
    /// Hears what is signalled from now on.
    pub fn subscribe(&self) -> Receiver<Signal> {
        self.sender.subscribe()
    }

    /// Calls this for every signal, at once.
    pub fn on_signal(&self, hook: impl Fn(Signal) + Send + Sync + 'static) {
        self.hooks.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
    }

    /// Whether everything that was signalled up to a second ago has been heard.
    pub fn is_heard(&self) -> bool {
        let beat = *self.beat.lock().unwrap_or_else(PoisonError::into_inner);
        beat.is_some_and(|sent| sent.elapsed() < FRESH)
    }

    fn send(&self, signal: Signal) {
        for hook in self.hooks.read().unwrap_or_else(PoisonError::into_inner).iter() {
            hook(signal);
        }
        // An error only says that nobody listens.
        let _ = self.sender.send(signal);
    }

    #[cfg(test)]
    pub fn count_as_heard(&self) {
        self.set_beat(Some(Instant::now()));
    }

    fn set_beat(&self, sent: Option<Instant>) {
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner) = sent;
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("is_heard", &self.is_heard()).finish_non_exhaustive()
    }
}

/// How old the last beat may be.
const FRESH: Duration = Duration::from_secs(1);
const BEAT_EVERY: Duration = Duration::from_millis(300);

/// Listens until `stop`; without a database it tries again.
pub async fn run(bus: Bus, db: PgPool, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        let beats = Beats::default();
        let error = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Err(error) = listen(&bus, &db, &beats) => error,
            Err(error) = beats.send(&db) => error,
        };
        bus.set_beat(None);
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

/// Beats of one connection: which one was sent when.
struct Beats {
    name: Uuid,
    sent: Mutex<(u64, Instant)>,
}

impl Default for Beats {
    fn default() -> Self {
        Self { name: Uuid::now_v7(), sent: Mutex::new((0, Instant::now())) }
    }
}

impl Beats {
    /// Sends them; ends with an error only.
    async fn send(&self, db: &PgPool) -> sqlx::Result<()> {
        let mut ticks = interval(BEAT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let number = {
                let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
                *sent = (sent.0 + 1, Instant::now());
                sent.0
            };
            let text = format!("{} {number}", self.name);
            let told = sqlx::query("SELECT pg_notify('bus_beat', $1)").bind(text).execute(db).await;
            // A pool that is busy sends the next one later; the bus counts as not heard meanwhile.
            if let Err(error @ sqlx::Error::PoolClosed) = told {
                return Err(error);
            }
        }
    }

    /// When the beat that came back was sent; those of others, and late ones, tell nothing.
    fn came_back(&self, text: &str) -> Option<Instant> {
        let (name, number) = text.split_once(' ')?;
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let is_last = number.parse() == Ok(sent.0) && name.parse() == Ok(self.name);
        is_last.then_some(sent.1)
    }
}

/// Ends with an error only.
async fn listen(bus: &Bus, db: &PgPool, beats: &Beats) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(db).await?;
    listener.listen_all(CHANNELS).await?;
    loop {
        bus.set_beat(None);
        bus.send(Signal::Any);
        // `None` is a lost connection: what was sent meanwhile is lost too.
        while let Some(notification) = listener.try_recv().await? {
            if notification.channel() != "bus_beat" {
                bus.send(signal(&notification).unwrap_or(Signal::Any));
            } else if let Some(sent) = beats.came_back(notification.payload()) {
                bus.set_beat(Some(sent));
            }
        }
    }
}

const CHANNELS: [&str; 8] = [
    "branch_changes",
    "branch_commands",
    "branch_answers",
    "branch_live",
    "branch_watched",
    "callers",
    "events_arrived",
    "bus_beat",
];

fn signal(notification: &PgNotification) -> Option<Signal> {
    if notification.channel() == "events_arrived" {
        return Some(Signal::Events);
    }
    let id: Uuid = notification.payload().parse().ok()?;
    match notification.channel() {
        "branch_changes" => Some(Signal::Changes(id.into())),
        "branch_commands" => Some(Signal::Commands(id.into())),
        "branch_answers" => Some(Signal::Answers(id.into())),
        "branch_live" => Some(Signal::Live(id.into())),
        "callers" => Some(Signal::User(id.into())),
        "branch_watched" => Some(Signal::Watched(id.into())),
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
