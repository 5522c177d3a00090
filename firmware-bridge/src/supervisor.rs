//! Starts the tasks of `run`, tells systemd, and ends with the first task that fails or with a signal.

use crate::clock::Clock;
use crate::config::Config;
use crate::desk::Desk;
use crate::drivers::{board, csafe, door, keyboard, nfc, scanner};
use crate::orders;
use crate::publisher::{Patience, Publisher};
use crate::queue::{Outbox, Queue};
use anyhow::{Context, Result, anyhow};
use sd_notify::NotifyState;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Time for tasks to stop; what is in the queue is on disk anyway.
const GRACE: Duration = Duration::from_secs(3);

/// The bridge, until SIGTERM or SIGINT.
pub async fn run(config: Config) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    let signal = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let stop = CancellationToken::new();
    let mut tasks = start(config, &stop)?;
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    tasks.spawn(reassure(stop.clone()));
    let ended = supervise(tasks, stop, signal).await;
    info!("stopped");
    ended
}

/// The tasks of a bridge; they end when `stop` is cancelled.
pub fn start(config: Config, stop: &CancellationToken) -> Result<JoinSet<Result<()>>> {
    config.agent.warn_if_exposed();
    let has_reader =
        !(config.scanner.is_empty() && config.nfc.is_empty() && config.keyboard.is_empty());
    if !has_reader && config.board.is_empty() && config.csafe.is_empty() {
        warn!("no device is configured: see `firmware-bridge probe` for what is attached");
    }
    let outbox = Outbox::start(Queue::open(&config.queue.config())?)?;
    let desk = Desk::new(Clock::system(), outbox);
    let mut tasks = JoinSet::new();
    for device in config.scanner {
        tasks.spawn(scanner::run(device, desk.clone(), stop.clone()));
    }
    for device in config.nfc {
        tasks.spawn(nfc::run(device, desk.clone(), stop.clone()));
    }
    for device in config.door {
        tasks.spawn(door::run(device, desk.clone(), stop.clone()));
    }
    for device in config.keyboard {
        tasks.spawn(keyboard::run(device, desk.clone(), stop.clone()));
    }
    for device in config.board {
        tasks.spawn(board::run(device, desk.clone(), stop.clone()));
    }
    for device in config.csafe {
        tasks.spawn(csafe::run(device, desk.clone(), stop.clone()));
    }
    tasks.spawn(orders::run(config.agent.username.clone(), desk.clone(), stop.clone()));
    let publisher = Publisher { agent: config.agent, desk, patience: Patience::default() };
    tasks.spawn(publisher.run(stop.clone()));
    Ok(tasks)
}

/// Tells systemd in time that tasks still get their turn.
async fn reassure(stop: CancellationToken) -> Result<()> {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        stop.cancelled().await;
        return Ok(());
    };
    let mut tick = interval((patience / 3).max(Duration::from_millis(1)));
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = tick.tick() => drop(sd_notify::notify(&[NotifyState::Watchdog])),
        }
    }
}

async fn supervise(
    mut tasks: JoinSet<Result<()>>,
    stop: CancellationToken,
    signal: impl Future<Output = ()>,
) -> Result<()> {
    let end = tokio::select! {
        () = signal => Ok(()),
        Some(ended) = tasks.join_next() => match ended {
            Ok(Ok(())) => Err(anyhow!("a task ended unasked")),
            Ok(Err(error)) => Err(error),
            Err(panic) => Err(panic.into()),
        },
    };
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    stop.cancel();
    let rest = async { while tasks.join_next().await.is_some() {} };
    end.and(timeout(GRACE, rest).await.context("tasks did not stop in time"))
}
