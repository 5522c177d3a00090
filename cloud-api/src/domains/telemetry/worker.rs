//! Computes hours that are out of date, one at a time, once deliveries pause.

use super::chunk::taken_ms;
use super::erasure;
use super::rollup::{HOUR_MS, Hour, LOOK_BACK_MS, Taken, roll_up};
use super::rollup_store::{self, Dirty};
use super::store::{self, Stored};
use crate::app::App;
use crate::domains::workouts;
use anyhow::Context;
use futures_util::{StreamExt as _, stream};
use protocol::machine::columns;
use std::time::Duration as StdDuration;
use time::{Duration, OffsetDateTime};
use tokio::time::{MissedTickBehavior, interval};

/// Keeps roll-ups current, until `stop`. Draining a backlog marks the same hours over and over: they are
/// computed when it pauses, or once a minute.
pub async fn run(app: App) -> anyhow::Result<()> {
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            _ = tick.tick() => {}
        }
        if let Err(error) = roll_up_some(&app, QUIET, WAITING).await {
            tracing::warn!(error = format!("{error:#}"), "roll-ups cannot be computed");
        }
    }
}

const LOOK_EVERY: StdDuration = StdDuration::from_secs(1);
const QUIET: Duration = Duration::seconds(2);
const WAITING: Duration = Duration::seconds(60);

/// Computes every hour that is out of date now.
pub async fn roll_up_all(app: &App) -> anyhow::Result<()> {
    while roll_up_some(app, Duration::ZERO, Duration::ZERO).await? > 0 {}
    Ok(())
}

/// Says how many hours were computed.
async fn roll_up_some(app: &App, quiet: Duration, waiting: Duration) -> anyhow::Result<usize> {
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    let dirty = rollup_store::dirty(&mut db, now - quiet, now - waiting, AT_ONCE).await?;
    drop(db);
    let one = |hour: Dirty| async move {
        if app.stop.is_cancelled() { Ok(false) } else { roll_up_hour(app, &hour).await }
    };
    let mut rolled = std::pin::pin!(stream::iter(dirty).map(one).buffer_unordered(SIDE_BY_SIDE));
    let mut computed = 0;
    while let Some(done) = rolled.next().await {
        computed += usize::from(done?);
    }
    Ok(computed)
}

const AT_ONCE: i64 = 500;
/// One computes while another waits for the disk.
const SIDE_BY_SIDE: usize = 4;

/// `false` if another instance is at it. What is delivered meanwhile leaves the hour dirty: its marks were
/// read before its chunks.
async fn roll_up_hour(app: &App, dirty: &Dirty) -> anyhow::Result<bool> {
    let mut tx = app.db.begin().await?;
    if !rollup_store::lock_hour(&mut tx, dirty).await? {
        return Ok(false);
    }
    let Some(marks) = rollup_store::marks(&mut tx, dirty).await? else { return Ok(false) };
    let from = dirty.hour.checked_sub(Duration::milliseconds(LOOK_BACK_MS)).unwrap_or(dirty.hour);
    let to = dirty.hour.saturating_add(Duration::HOUR);
    erasure::rewrite(&mut tx, dirty.machine_id, from, to).await?;
    let chunks = store::chunks_between(&mut tx, dirty.machine_id, from, to).await?;
    let start_ms = dirty.hour.unix_timestamp() * 1_000;
    let rolled = tokio::task::spawn_blocking(move || compute(&chunks, start_ms)).await?;
    rollup_store::replace(&mut tx, dirty, marks, &rolled.context("a stored chunk is damaged")?)
        .await?;
    rollup_store::note_unmerged(&mut tx, dirty).await?;
    workouts::mark_measured(&mut tx, dirty.machine_id, dirty.hour, app.clock.now()).await?;
    tx.commit().await?;
    Ok(true)
}

/// The hour that a moment is in.
pub fn hour_of(at: OffsetDateTime) -> OffsetDateTime {
    let into_hour = Duration::seconds(at.unix_timestamp().rem_euclid(3_600))
        + Duration::nanoseconds(at.nanosecond().into());
    at.checked_sub(into_hour).unwrap_or(at)
}

fn compute(chunks: &[Stored], start_ms: i64) -> Result<Hour, columns::ColumnsError> {
    let wanted = start_ms - LOOK_BACK_MS..start_ms + HOUR_MS;
    let mut samples = Vec::new();
    for Stored { offset_ms, columns: block, .. } in chunks {
        let timed = columns::decode(block)?.into_iter();
        let taken =
            timed.map(|timed| Taken { at_ms: taken_ms(&timed, *offset_ms), sample: timed.sample });
        samples.extend(taken.filter(|taken| wanted.contains(&taken.at_ms)));
    }
    Ok(roll_up(samples, start_ms))
}
