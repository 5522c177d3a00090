//! Follows the log and tells all who listen here.

use super::frame::Frame;
use super::topic::Topic;
use super::workouts;
use crate::app::App;
use crate::events::log::{self, Event, Logged, Stream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

/// Reads what is new until `stop`.
pub async fn run(app: App) -> anyhow::Result<()> {
    let told = Arc::new(Notify::new());
    let hook = Arc::clone(&told);
    app.relay.on_message(move |topic, _| {
        if topic == log::TOPIC {
            hook.notify_one();
        }
    });
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut position = None;
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            () = told.notified() => {}
            // Nobody may have said it.
            _ = ticks.tick() => {}
        }
        if let Err(error) = follow(&app, &mut position).await {
            tracing::warn!(error = format!("{error:#}"), "events are not told live");
        }
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
const AT_ONCE: i64 = 500;

async fn follow(app: &App, position: &mut Option<i64>) -> anyhow::Result<()> {
    let mut last = if let Some(last) = *position {
        last
    } else {
        let last = log::bounds(&mut *app.db.acquire().await?).await?.last;
        app.realtime.begin(last);
        *position.insert(last)
    };
    loop {
        let events = log::after(&mut *app.db.acquire().await?, last, AT_ONCE).await?;
        let Some(newest) = events.last() else { return Ok(()) };
        last = newest.id;
        for event in &events {
            tell(app, event).await?;
        }
        *position = Some(last);
    }
}

async fn tell(app: &App, event: &Logged) -> anyhow::Result<()> {
    let frame = Arc::new(Frame::of(event)?);
    app.realtime.publish(&topics(event), &frame).await;
    workouts::notice(app, event).await
}

/// Where an event is heard.
pub fn topics(event: &Logged) -> Vec<Topic> {
    match event.stream {
        Stream::User(user) if Event::is_of_workouts(&event.kind) => {
            vec![Topic::User(user), Topic::Workouts(user)]
        }
        Stream::User(user) => vec![Topic::User(user)],
        Stream::Branch(branch) => vec![Topic::Branch(branch)],
        Stream::Staff(branch) => vec![Topic::Staff(branch)],
    }
}
