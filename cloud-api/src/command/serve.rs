//! `serve` and `work`: run until a signal says stop.

use super::open;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::domains::{edges, realtime, telemetry, workouts};
use crate::events;
use crate::http::{ops, server};
use crate::jobs;
use crate::keys;
use crate::postgres::{self, Postgres, private};
use crate::router::router;
use anyhow::{Context, anyhow};
use sd_notify::NotifyState;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The API and the jobs.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    // The port first: a second instance by mistake fails before it touches anything.
    let listener = server::bind(config.http.bind).await?;
    run(config, |app, tasks| {
        let address = listener.local_addr()?;
        let router = router(app);
        let (config, stop) = (app.config.clone(), app.stop.clone());
        tasks.spawn(async move { server::run(listener, router, &config.http, stop).await });
        realtime::run(app, tasks);
        tracing::info!(%address, "serving");
        Ok(())
    })
    .await
}

/// The jobs only.
pub async fn work(config: Config) -> anyhow::Result<()> {
    run(config, |_, _| Ok(())).await
}

async fn run(
    config: Config,
    start: impl FnOnce(&App, &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let signalled = signals()?;
    let database = open(&config).await?;
    if config.database.url.is_none() {
        let folder = private::data_folder(&config.private_postgres_dir())?;
        tracing::info!(folder = %folder.display(), "database.url is not set: a private Postgres is used");
    }
    let grace = Duration::from_secs(config.http.drain_s) + GRACE;
    let ended = async {
        postgres::migrate(&database.pool).await?;
        let app = App::open(database.pool.clone(), config, Clock::system(), stop.clone()).await?;
        let mut tasks = JoinSet::new();
        start(&app, &mut tasks)?;
        background(&app, &mut tasks);
        // Without systemd there is nobody to tell.
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        let supervised = supervise(tasks, stop.clone(), signalled, grace);
        tokio::join!(supervised, database.watch(stop)).0
    };
    let ended = ended.await;
    close(database).await.and(ended)
}

/// What every instance does besides answering.
fn background(app: &App, tasks: &mut JoinSet<anyhow::Result<()>>) {
    tasks.spawn(app.reads.clone().run());
    tasks.spawn(events::run(app.bus.clone(), app.db.clone(), app.stop.clone()));
    tasks.spawn(app.relay.clone().run(app.stop.clone()));
    tasks.spawn(events::outbox::run(app.clone()));
    tasks.spawn(events::log::run(app.clone()));
    tasks.spawn(keys::follow(app.clone()));
    tasks.spawn(edges::share_live(app.clone()));
    tasks.spawn(ops::tidy_metrics(app.stop.clone()));
    tasks.spawn(jobs::run(app.clone()));
    tasks.spawn(telemetry::run(app.clone()));
    tasks.spawn(workouts::run(app.clone()));
}

/// What tasks get beyond the draining of requests.
const GRACE: Duration = Duration::from_secs(5);

/// The first task to end ends the service.
async fn supervise(
    mut tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
    signalled: impl Future<Output = ()>,
    grace: Duration,
) -> anyhow::Result<()> {
    let end = tokio::select! {
        () = signalled => Ok(()),
        Some(ended) = tasks.join_next() => match ended {
            Ok(Ok(())) => Err(anyhow!("a task ended unasked")),
            Ok(Err(error)) => Err(error),
            Err(panic) => Err(panic.into()),
        },
    };
    tracing::info!("stopping");
    stop.cancel();
    let rest = async {
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        anyhow::Ok(())
    };
    let rest = timeout(grace, rest).await.context("tasks did not stop in time");
    end.and(rest?)
}

async fn close(database: Postgres) -> anyhow::Result<()> {
    timeout(GRACE, database.close()).await.context("the database did not close in time")?
}

/// Ends with SIGTERM or SIGINT. Listens from now on, so that none is missed while starting.
fn signals() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
