//! Works out what is out of date, one workout or day of a machine at a time, once data pauses.

use super::best::bests;
use super::derive_store::{self as store, Frame, Had, LATE, Totals};
use super::heart;
use super::summary::{self, Exercise, Set, Stretch};
use super::{orphan, record_store, stale};
use crate::app::App;
use crate::domains::{body, telemetry};
use crate::events::log::{self, Audience, Event, ProgressChanged, RecordAchieved, WorkoutChanged};
use crate::ids::MemberId;
use anyhow::Result;
use protocol::machine::Field;
use protocol::machine::segments::Reading;
use sqlx::PgConnection;
use std::collections::BTreeSet;
use std::time::Duration as StdDuration;
use time::{Duration, OffsetDateTime};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

/// Keeps workouts current, until `stop`. While somebody trains, theirs is worked out again once a minute.
pub async fn run(app: App) -> Result<()> {
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            _ = tick.tick() => {}
        }
        if let Err(error) = settle(&app, QUIET, QUIET_DAY).await {
            tracing::warn!(error = format!("{error:#}"), "workouts cannot be worked out");
        }
    }
}

/// Left alone for so long, or waiting for so long.
type Patience = (Duration, Duration);

const LOOK_EVERY: StdDuration = StdDuration::from_secs(1);
const QUIET: Patience = (Duration::seconds(2), Duration::seconds(60));
/// Orphans are for people to look at: they can wait until an hour is complete.
const QUIET_DAY: Patience = (Duration::minutes(10), Duration::hours(3));
const AT_ONCE: Patience = (Duration::ZERO, Duration::ZERO);

/// Works out everything that is out of date now.
pub async fn settle_all(app: &App) -> Result<()> {
    settle(app, AT_ONCE, AT_ONCE).await
}

async fn settle(app: &App, patience: Patience, with_days: Patience) -> Result<()> {
    while !app.stop.is_cancelled() && settle_workout(app, patience).await? {}
    while !app.stop.is_cancelled() && orphan::settle_day(app, with_days).await? {}
    Ok(())
}

/// Since when nothing may have come, and since when something may have waited.
pub fn since(now: OffsetDateTime, (quiet, waiting): Patience) -> (OffsetDateTime, OffsetDateTime) {
    (now - quiet, now - waiting)
}

/// `false` if none is out of date.
async fn settle_workout(app: &App, patience: Patience) -> Result<bool> {
    let now = app.clock.now();
    let (quiet, waiting) = since(now, patience);
    let mut tx = app.db.begin().await?;
    let Some(id) = stale::take_workout(&mut tx, quiet, waiting).await? else { return Ok(false) };
    let done = work_out(app, &mut tx, id, now).await;
    match done {
        Ok(()) => tx.commit().await?,
        Err(error) => {
            // The others do not wait for it; it comes again after them.
            tx.rollback().await?;
            stale::postpone(&mut *app.db.acquire().await?, id, now).await?;
            return Err(error.context(format!("workout {id}")));
        }
    }
    Ok(true)
}

/// Replaces a workout by what there is to be known of it now.
async fn work_out(app: &App, db: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<()> {
    let frame = store::frame(db, id).await?;
    let before = store::known(db, id).await?;
    let members = before.iter().map(|(member, _)| *member);
    let members: BTreeSet<MemberId> =
        members.chain(frame.iter().map(|frame| frame.member_id)).collect();
    for member in &members {
        store::lock_member(db, *member).await?;
    }
    let mut changed: BTreeSet<String> = store::remove(db, id).await?.into_iter().collect();
    if let Some(frame) = &frame {
        let exercises = exercises(db, frame, now).await?;
        changed.extend(exercises.iter().map(|exercise| exercise.key.clone()));
        if !exercises.is_empty() {
            store::write(db, frame, &totals(&exercises), &exercises).await?;
        }
    }
    let after = store::known(db, id).await?;
    let mut events = Vec::new();
    let is_recent = |at: OffsetDateTime| at >= now - LATE;
    let is_told = frame.as_ref().is_none_or(|frame| is_recent(frame.started_at));
    for member in members {
        for exercise in &changed {
            records(db, member, exercise, now, &mut events).await?;
        }
    }
    if let Some((member, change)) = change(before, after).filter(|_| is_told) {
        let changed = WorkoutChanged { workout_id: id, change: change.to_owned() };
        events.push((Audience::Member(member), Event::SyncWorkout(changed)));
    }
    metrics::counter!("workouts_worked_out_total").increment(1);
    log::append_all(db, &events, app.clock.now()).await
}

type Known = Option<(MemberId, serde_json::Value)>;

fn change(before: Known, after: Known) -> Option<(MemberId, &'static str)> {
    match (before, after) {
        (None, None) => None,
        (None, Some((member, _))) => Some((member, "created")),
        (Some((member, _)), None) => Some((member, "removed")),
        (Some(before), Some(after)) => (before != after).then_some((after.0, "changed")),
    }
}

/// What was done in a workout.
async fn exercises(
    db: &mut PgConnection,
    frame: &Frame,
    now: OffsetDateTime,
) -> Result<Vec<Exercise>> {
    let about = store::about(db, frame.member_id).await?;
    let age = about.date_of_birth.map(|born| body::age_years(born, frame.started_at.date()));
    let had = store::stretches(db, frame).await?;
    let links: Vec<_> = had.iter().filter(|had| !had.is_assigned).map(|had| had.id).collect();
    let mut sets = store::sets_of(db, &links).await?;
    let mut stretches = Vec::with_capacity(had.len());
    for had in had {
        let to = had.to.unwrap_or(now);
        let others = if had.is_assigned {
            sets.extend(store::sets_between(db, had.machine_id, had.from, to).await?);
            store::links_between(db, had.machine_id, had.from, to).await?
        } else {
            Vec::new()
        };
        stretches.push(stretch(db, had, to, &others, about.has_consent).await?);
    }
    Ok(summary::exercises(&stretches, sets, age.map(heart::highest_bpm)))
}

/// What a machine measured while somebody had it. Heart rates only if they agreed to it.
async fn stretch(
    db: &mut PgConnection,
    had: Had,
    to: OffsetDateTime,
    others: &[(OffsetDateTime, Option<OffsetDateTime>)],
    with_heart: bool,
) -> Result<Stretch> {
    let measured = telemetry::measured(db, had.machine_id, had.from, to).await?;
    let is_others = |at_ms: i64| {
        let at = crate::clock::at_ms(at_ms);
        others.iter().any(|(from, to)| at >= *from && to.is_none_or(|to| at < to))
    };
    let readings = measured.samples.into_iter().filter(|taken| !is_others(taken.at_ms));
    let readings = readings.map(|taken| {
        let mut fields = taken.sample.fields;
        if !with_heart {
            fields.clear(Field::HeartRateBpm);
        }
        Reading { at_ms: taken.at_ms, fields }
    });
    Ok(Stretch {
        id: had.id,
        machine_id: had.machine_id.0,
        machine_name: had.machine_name,
        readings: readings.collect(),
        is_late: measured.is_late,
    })
}

fn totals(exercises: &[Exercise]) -> Totals {
    let sets = || exercises.iter().flat_map(|exercise| &exercise.sets);
    let efforts = || exercises.iter().filter_map(|exercise| exercise.effort.as_ref());
    Totals {
        sets: i32::try_from(sets().count()).unwrap_or(i32::MAX),
        reps: sets().map(|set| set.reps).sum(),
        volume_kg: sets().map(Set::volume_kg).sum(),
        moving_s: efforts().map(|effort| effort.moving_s).sum(),
        distance_m: efforts().filter_map(|effort| effort.distance_m).sum(),
        energy_kcal: efforts().filter_map(|effort| effort.energy_kcal).sum(),
        heart: heart::together(exercises.iter().filter_map(|exercise| exercise.heart)),
    }
}

/// Replaces the records of an exercise, and tells of those that are news.
async fn records(
    db: &mut PgConnection,
    member: MemberId,
    exercise: &str,
    now: OffsetDateTime,
    events: &mut Vec<(Audience, Event)>,
) -> Result<()> {
    let (name, performed) = record_store::performed(db, member, exercise).await?;
    let bests = bests(performed);
    record_store::replace(db, member, exercise, name.as_deref().unwrap_or(exercise), &bests)
        .await?;
    let mut has_news = false;
    // The first of its kind is no surprise.
    let news = bests.iter().filter(|best| best.previous.is_some() && best.at >= now - LATE);
    for best in news {
        if !record_store::is_news(db, member, exercise, best).await? {
            continue;
        }
        has_news = true;
        let achieved = RecordAchieved {
            workout_id: Some(best.workout_id),
            exercise: exercise.to_owned(),
            measure: best.measure.to_owned(),
            value: best.value,
            previous: best.previous,
        };
        events.push((Audience::Member(member), Event::RecordAchieved(achieved)));
    }
    if has_news {
        let changed = ProgressChanged { about: "records".to_owned() };
        events.push((Audience::Member(member), Event::SyncProgress(changed)));
    }
    Ok(())
}
