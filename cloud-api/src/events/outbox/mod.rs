//! The outbox: an event is written in the transaction in which it happened, and told to all instances afterwards,
//! in order and at least once. While messages cannot be told it waits; who did not listen finds it in the table.

mod store;

pub use store::add;

use crate::app::App;
use crate::ids::UserId;
use crate::jobs::Job;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration as StdDuration;
use time::{Duration, OffsetDateTime};
use tokio::time::{MissedTickBehavior, interval};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Grows; who hears an event again knows it by this.
    pub id: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// `thing.what_happened`
    pub kind: String,
    pub user_id: Option<UserId>,
    pub data: Value,
}

/// The topic under which events are told.
pub const TOPIC: &str = "event";

/// Tells what was not told yet, until `stop`.
pub async fn run(app: App) -> anyhow::Result<()> {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        if let Err(error) = tell_all(&app).await {
            tracing::warn!(error = format!("{error:#}"), "events are not told");
        }
    }
}

const LOOK_EVERY: StdDuration = StdDuration::from_millis(200);

/// Tells everything that was not told yet.
pub async fn tell_all(app: &App) -> anyhow::Result<()> {
    loop {
        let mut tx = app.db.begin().await?;
        // One instance at a time, so that the order is that of the events.
        if !store::lock(&mut tx).await? {
            return Ok(());
        }
        let events = store::untold(&mut tx, AT_ONCE).await?;
        if events.is_empty() {
            return Ok(());
        }
        let (told, end) = tell(app, &events).await;
        store::set_told(&mut tx, &told, app.clock.now()).await?;
        tx.commit().await?;
        end?;
    }
}

/// Tells them up to the first that cannot be told, so that they stay in order. Gives the ids of those that were.
async fn tell(app: &App, events: &[Event]) -> (Vec<i64>, anyhow::Result<()>) {
    let mut told = Vec::with_capacity(events.len());
    for event in events {
        let text = match serde_json::to_string(event) {
            Ok(text) => text,
            Err(error) => return (told, Err(error.into())),
        };
        if let Err(error) = app.relay.tell(TOPIC, &text).await {
            return (told, Err(error));
        }
        told.push(event.id);
    }
    (told, Ok(()))
}

const AT_ONCE: i64 = 100;

/// Forgets what was told a while ago.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetEvents;

impl Job for ForgetEvents {
    const KIND: &'static str = "events.forget_events";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let before = app.clock.now() - KEPT;
        Ok(store::forget(&mut *app.db.acquire().await?, before).await?)
    }
}

const KEPT: Duration = Duration::days(7);
