//! Runs what is due: jobs of the queue, schedules, and roll-ups.

use super::Job;
use super::queue::{self, MAX_ATTEMPTS, Taken};
use crate::app::App;
use crate::domains::{
    accounts, edges, files, floor, machines, privacy, sessions, telemetry, workouts,
};
use crate::events::{log, outbox};
use crate::http::idempotency;
use crate::outside::mail;
use anyhow::{Context, bail};
use std::time::Duration as StdDuration;
use time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Runs jobs until `stop`; one that is under way is finished first.
pub async fn run(app: App) -> anyhow::Result<()> {
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            _ = tick.tick() => {}
        }
        if let Err(error) = work(&app).await {
            tracing::warn!(error = format!("{error:#}"), "the job queue cannot be worked on");
        }
    }
}

const LOOK_EVERY: StdDuration = StdDuration::from_secs(1);

async fn work(app: &App) -> anyhow::Result<()> {
    schedule(app).await?;
    while !app.stop.is_cancelled() && run_next(app).await? {}
    Ok(())
}

/// Runs everything that is queued or scheduled now, and computes every roll-up and workout that is out of date.
pub async fn run_due_jobs(app: &App) -> anyhow::Result<()> {
    work(app).await?;
    telemetry::roll_up_all(app).await?;
    workouts::settle_all(app).await
}

/// What runs without being asked.
async fn schedule(app: &App) -> anyhow::Result<()> {
    every(app, Duration::HOUR, &telemetry::TidyPartitions).await?;
    every(app, Duration::minutes(5), &telemetry::MergeChunks).await?;
    every(app, Duration::minutes(1), &edges::ExpireCommands).await?;
    every(app, Duration::minutes(1), &sessions::Pass).await?;
    every(app, Duration::minutes(10), &floor::SumUp).await?;
    every(app, Duration::seconds(2), &sessions::Provisional).await?;
    every(app, Duration::seconds(10), &machines::MissBeats).await?;
    every(app, Duration::minutes(10), &machines::SumUpMachines).await?;
    every(app, Duration::minutes(1), &edges::WatchSilence).await?;
    every(app, Duration::HOUR, &edges::ForgetExpired).await?;
    every(app, Duration::HOUR, &idempotency::ForgetAnswers).await?;
    every(app, Duration::HOUR, &accounts::ForgetLogins).await?;
    every(app, Duration::HOUR, &files::ForgetFiles).await?;
    every(app, Duration::HOUR, &privacy::EraseDue).await?;
    every(app, Duration::DAY, &privacy::ForgetOld).await?;
    every(app, Duration::HOUR, &log::ForgetLogged).await?;
    every(app, Duration::DAY, &workouts::ForgetDeliveries).await?;
    every(app, Duration::HOUR, &outbox::ForgetEvents).await
}

async fn every<J: Job>(app: &App, period: Duration, job: &J) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if queue::is_due(&mut tx, J::KIND, period, now).await? {
        queue::enqueue(&mut tx, job, now).await?;
    }
    Ok(tx.commit().await?)
}

/// `false` if nothing is due.
async fn run_next(app: &App) -> anyhow::Result<bool> {
    let taken = queue::take(&mut *app.db.acquire().await?, app.clock.now()).await?;
    let Some(job) = taken else { return Ok(false) };
    let done = dispatch(app, &job).await;
    let mut db = app.db.acquire().await?;
    match done {
        Ok(()) => queue::finish(&mut db, job.id).await?,
        Err(error) => {
            let error = format!("{error:#}");
            if job.attempts >= MAX_ATTEMPTS {
                tracing::error!(kind = job.kind, job_id = %job.id, error, "a job is given up");
            } else {
                tracing::warn!(kind = job.kind, job_id = %job.id, error, "a job will be retried");
            }
            queue::fail(&mut db, &job, &error, app.clock.now()).await?;
        }
    }
    Ok(true)
}

async fn dispatch(app: &App, job: &Taken) -> anyhow::Result<()> {
    match job.kind.as_str() {
        telemetry::Redate::KIND => start::<telemetry::Redate>(app, job).await,
        telemetry::TidyPartitions::KIND => start::<telemetry::TidyPartitions>(app, job).await,
        telemetry::MergeChunks::KIND => start::<telemetry::MergeChunks>(app, job).await,
        sessions::Pass::KIND => start::<sessions::Pass>(app, job).await,
        floor::SumUp::KIND => start::<floor::SumUp>(app, job).await,
        sessions::Provisional::KIND => start::<sessions::Provisional>(app, job).await,
        machines::SumUpMachines::KIND => start::<machines::SumUpMachines>(app, job).await,
        edges::WatchSilence::KIND => start::<edges::WatchSilence>(app, job).await,
        machines::MissBeats::KIND => start::<machines::MissBeats>(app, job).await,
        edges::ExpireCommands::KIND => start::<edges::ExpireCommands>(app, job).await,
        edges::ForgetExpired::KIND => start::<edges::ForgetExpired>(app, job).await,
        idempotency::ForgetAnswers::KIND => start::<idempotency::ForgetAnswers>(app, job).await,
        mail::SendLetter::KIND => start::<mail::SendLetter>(app, job).await,
        accounts::WriteTo::KIND => start::<accounts::WriteTo>(app, job).await,
        accounts::NoteGuessing::KIND => start::<accounts::NoteGuessing>(app, job).await,
        accounts::ForgetLogins::KIND => start::<accounts::ForgetLogins>(app, job).await,
        files::ForgetFiles::KIND => start::<files::ForgetFiles>(app, job).await,
        privacy::BuildArchive::KIND => start::<privacy::BuildArchive>(app, job).await,
        privacy::EraseDue::KIND => start::<privacy::EraseDue>(app, job).await,
        privacy::EraseFiles::KIND => start::<privacy::EraseFiles>(app, job).await,
        privacy::ForgetOld::KIND => start::<privacy::ForgetOld>(app, job).await,
        workouts::ForgetDeliveries::KIND => start::<workouts::ForgetDeliveries>(app, job).await,
        outbox::ForgetEvents::KIND => start::<outbox::ForgetEvents>(app, job).await,
        log::ForgetLogged::KIND => start::<log::ForgetLogged>(app, job).await,
        // Left by a newer version that runs beside this one: it will take it.
        kind => bail!("a job of the unknown kind {kind}"),
    }
}

async fn start<J: Job>(app: &App, job: &Taken) -> anyhow::Result<()> {
    let parsed: J = serde_json::from_value(job.payload.clone()).context("its payload")?;
    parsed.run(app).await
}
