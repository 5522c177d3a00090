//! Numbers what has arrived, one instance at a time, and tells all of them up to where they can read.

use super::store;
use crate::app::App;
use crate::events::Signal;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};

/// The topic under which instances are told that there is more to read.
pub const TOPIC: &str = "events";

/// Numbers until `stop`.
pub async fn run(app: App) -> anyhow::Result<()> {
    let mut signals = app.bus.subscribe();
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            // Whoever was at it may have gone before it was done.
            _ = ticks.tick() => {}
            signal = signals.recv() => match signal {
                Ok(Signal::Events | Signal::Any) | Err(RecvError::Lagged(_)) => {}
                Ok(_) => continue,
                Err(RecvError::Closed) => return Ok(()),
            },
        }
        if let Err(error) = number(&app).await {
            tracing::warn!(error = format!("{error:#}"), "events are not numbered");
        }
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(1);

async fn number(app: &App) -> anyhow::Result<()> {
    loop {
        let mut tx = app.db.begin().await?;
        // Who has it hears the same signals, and looks again after what it does now.
        if !store::lock(&mut tx).await? {
            return Ok(());
        }
        let (count, last) = store::number(&mut tx, AT_ONCE).await?;
        let Some(last) = last else { return Ok(()) };
        tx.commit().await?;
        // Who is not told finds it a moment later.
        if let Err(error) = app.relay.tell(TOPIC, &last.to_string()).await {
            tracing::warn!(error = format!("{error:#}"), "instances are not told of events");
        }
        if count < AT_ONCE {
            return Ok(());
        }
    }
}

const AT_ONCE: i64 = 1_000;
