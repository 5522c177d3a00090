//! Starts every part of the agent, in the order that its promises need, and ends it as a whole.

use crate::access::Access;
use crate::config::Config;
use crate::floor::{self, Floor};
use crate::front_door::tls::Tls;
use crate::front_door::{Inside, Publisher, Server};
use crate::journal::{Committed, Journal, JournalConfig};
use crate::ops::actions::Actions;
use crate::ops::clock::Clock;
use crate::ops::control::Control;
use crate::ops::lock::FolderLock;
use crate::ops::orders::Orders;
use crate::ops::pulse::{Pulse, Pulses};
use crate::ops::restart::Restart;
use crate::ops::status::Watched;
use crate::ops::{backup, server, watchdog};
use crate::registry::Registry;
use crate::staff::accounts::{Accounts, COST};
use crate::staff::{self, FirstStart, Staff};
use crate::update::trial::{self, OnTrial};
use crate::uplink::Uplink;
use crate::uplink::board::Board;
use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use protocol::mqtt::payloads::parse_status;
use protocol::mqtt::topics::Topic;
use protocol::sync::entry::Body;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Tasks get this long to end after they were asked to.
const GRACE: Duration = Duration::from_secs(8);
/// A journal whose disk fails does not close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// A moment that has passed is kept this often, for a start with a wrong clock.
const FLOOR_EVERY: Duration = Duration::from_mins(10);
const FIRST_FLOOR: Duration = Duration::from_secs(30);

/// Runs the agent until a signal or the first part that fails.
pub async fn run(config: Config) -> Result<()> {
    let mut signals = Signals::listen()?;
    let metrics = server::collect()?;
    let _lock = FolderLock::take(&config.agent.state_dir)?;
    if let Err(error) = backup::finish(&config.agent.state_dir) {
        tracing::error!(?error, "a restore that was interrupted cannot be finished");
    }
    let clock = Clock::system();
    let opened = Registry::open(&config.agent.state_dir, &clock).await?;
    let (journal, retained) = open_journal(&config, &clock).await?;
    let mut tasks = JoinSet::new();
    let stop = CancellationToken::new();
    for notice in opened.notices {
        journal.note(Body::Notice(notice)).await?;
    }
    let parts = Parts { config, clock, registry: opened.registry, journal: journal.clone() };
    let started = start(&parts, retained, metrics, &mut tasks, &stop).await;
    let end = match started {
        Ok(loops) => {
            watchdog::notify(&[NotifyState::Ready]);
            tasks.spawn(watchdog::run(journal.clone(), loops, stop.clone()));
            tracing::info!(version = env!("CARGO_PKG_VERSION"), "the edge agent runs");
            supervise(&mut tasks, &stop, &mut signals).await
        }
        Err(error) => Err(error),
    };
    let closed = timeout(CLOSE_TIMEOUT, journal.close()).await;
    end.and(closed.context("the journal cannot be written; what it lacks was not acked"))
}

struct Parts {
    config: Config,
    clock: Clock,
    registry: Registry,
    journal: Journal,
}

impl Parts {
    fn watched(&self, publisher: Publisher, uplink: &Uplink) -> Watched {
        Watched {
            registry: self.registry.clone(),
            journal: self.journal.clone(),
            clock: self.clock.clone(),
            publisher,
            link: uplink.status(),
        }
    }

    async fn actions(&self, tls: Tls) -> Result<Actions> {
        let Self { config, clock, registry, journal } = self;
        let accounts = Accounts::open(registry.clone(), clock.clone(), &config.staff, COST).await?;
        Ok(Actions {
            registry: registry.clone(),
            journal: journal.clone(),
            clock: clock.clone(),
            cloud: config.cloud.clone(),
            accounts,
            first_start: FirstStart::draw()?,
            tls,
        })
    }
}

struct Retained {
    epoch: u64,
    values: Vec<(String, Bytes)>,
}

async fn open_journal(config: &Config, clock: &Clock) -> Result<(Journal, Retained)> {
    let journal_config = JournalConfig {
        limits: config.journal.clone(),
        ..JournalConfig::new(&config.agent.state_dir)
    };
    let clock = clock.clone();
    let open = move || Journal::open(journal_config, clock);
    let (journal, opened) = tokio::task::spawn_blocking(open).await??;
    for notice in &opened.notices {
        tracing::warn!(notice, "while the journal was opened");
    }
    Ok((journal, Retained { epoch: opened.epoch, values: opened.retained }))
}

async fn start(
    parts: &Parts,
    retained: Retained,
    metrics: metrics_exporter_prometheus::PrometheusHandle,
    tasks: &mut JoinSet<Result<()>>,
    stop: &CancellationToken,
) -> Result<Pulses> {
    let Parts { config, clock, registry, journal } = parts;
    let ops_listener = server::bind(config.ops.listen).await?;
    let control = Control::bind(&config.agent.state_dir)
        .inspect_err(|error| tracing::error!(?error, "no command reaches this agent"));
    let board = Board::new(retained.epoch);
    seed(&board, registry, &retained.values);
    let tls = Tls::of(config, clock)?;
    let access = Access::new(registry.clone(), clock.clone());
    // Before the door opens: no tap may go undecided.
    access.decide_in(journal).await?;
    tasks.spawn(access.clone().remember(journal.events(), stop.clone()));
    let inside = Inside {
        access: access.clone(),
        board: board.clone(),
        registry: registry.clone(),
        journal: journal.clone(),
        clock: clock.clone(),
        retained: retained.values,
    };
    let door = Server::bind(config.mqtt.clone(), inside, tls.clone())?;
    let publisher = door.publisher();
    let floor = floor(parts, &access, &board, &publisher);
    let uplink = uplink(parts, floor.clone(), board, publisher.clone())?;
    let watched = parts.watched(publisher, &uplink);
    let actions = parts.actions(tls.clone()).await?;
    open_page(config, (tls, floor.clone(), access), (&watched, &actions), tasks, stop)?;
    let restart = obey(config, &uplink, &watched, tasks, stop);
    let pulses = door.pulses();
    // Full: the journal's own ring takes over, and what that loses is counted.
    let (to_uplink, for_uplink) = mpsc::channel(64);
    tasks.spawn(forward(journal.events(), to_uplink, stop.clone()));
    tasks.spawn(door.run(stop.clone()));
    tasks.spawn(floor.run(stop.clone()));
    tasks.spawn(uplink.run(for_uplink, stop.clone()));
    tasks.spawn(server::run(ops_listener, watched.clone(), metrics, stop.clone()));
    // On a disk that cannot be written there is no place for the socket; everything else goes on.
    if let Ok(control) = control {
        tasks.spawn(control.run(actions, watched.clone(), restart, stop.clone()));
    }
    tasks.spawn(keep_time(registry.clone(), clock.clone(), stop.clone()));
    prove(config, &pulses, watched, tasks, stop).await;
    Ok(Pulses::of(pulses))
}

/// From now on the cloud can order the edge itself; who else may end it is given the result.
fn obey(
    config: &Config,
    uplink: &Uplink,
    watched: &Watched,
    tasks: &mut JoinSet<Result<()>>,
    stop: &CancellationToken,
) -> Restart {
    let restart = Restart::default();
    tasks.spawn(restart.clone().run(stop.clone()));
    let (config, watched) = (config.clone(), watched.clone());
    uplink.obey(Orders { config, watched, restart: restart.clone() });
    restart
}

/// A release that is new has to prove itself, and what became of others is told.
async fn prove(
    config: &Config,
    pulses: &[Pulse; 2],
    watched: Watched,
    tasks: &mut JoinSet<Result<()>>,
    stop: &CancellationToken,
) {
    let state_dir = &config.agent.state_dir;
    if let Err(error) = trial::tell_failures(state_dir, &watched.journal).await {
        tracing::warn!(?error, "what became of an update was not told");
    }
    let settle = Duration::from_secs(u64::from(config.update.settle_s));
    if let Some(release) = OnTrial::of(state_dir, settle) {
        tasks.spawn(release.run(watched, Pulses::of(pulses.clone()), stop.clone()));
    }
}

fn floor(parts: &Parts, access: &Access, board: &Board, publisher: &Publisher) -> Floor {
    Floor::new(floor::Parts {
        access: access.clone(),
        registry: parts.registry.clone(),
        journal: parts.journal.clone(),
        clock: parts.clock.clone(),
        board: board.clone(),
        publisher: publisher.clone(),
    })
}

fn uplink(parts: &Parts, floor: Floor, board: Board, publisher: Publisher) -> Result<Arc<Uplink>> {
    let Parts { config, clock, registry, journal } = parts;
    let (registry, journal, clock) = (registry.clone(), journal.clone(), clock.clone());
    let uplink = Uplink::new(config.cloud.clone(), registry, journal, clock, publisher, board)?;
    Ok(Arc::new(uplink.with_floor(floor)))
}

fn open_page(
    config: &Config,
    (tls, floor, access): (Tls, Floor, Access),
    (watched, actions): (&Watched, &Actions),
    tasks: &mut JoinSet<Result<()>>,
    stop: &CancellationToken,
) -> Result<()> {
    let parts = staff::Parts {
        accounts: actions.accounts.clone(),
        watched: watched.clone(),
        actions: actions.clone(),
        access,
        floor,
        tls: tls.clone(),
        has_open_mqtt: !config.mqtt.listen.ip().is_loopback(),
    };
    if actions.accounts.is_empty() {
        let (code, listen) = (actions.first_start.code(), config.staff.listen);
        tracing::warn!(%listen, code, "nobody can sign in: open the staff page and type this code");
    }
    let committed = parts.watched.journal.events();
    let page = Staff::new(parts);
    let server = staff::Server::bind(config.staff.clone(), tls, page.clone())?;
    tasks.spawn(staff::follow(page, committed, stop.clone()));
    tasks.spawn(server.run(stop.clone()));
    Ok(())
}

/// What devices said last before this start, so that the first full state is not an empty floor.
fn seed(board: &Board, registry: &Registry, retained: &[(String, Bytes)]) {
    for (topic, payload) in retained {
        let Some(topic) = Topic::parse(topic).filter(|topic| topic.leaf() == "status") else {
            continue;
        };
        if let (Some(device), Ok(status)) =
            (registry.by_code(topic.code().as_str()), parse_status(payload))
        {
            board.remember(device.id, &status);
        }
    }
}

async fn forward(
    mut committed: broadcast::Receiver<Arc<Committed>>,
    to: mpsc::Sender<Arc<Committed>>,
    stop: CancellationToken,
) -> Result<()> {
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            next = committed.recv() => next,
        };
        match next {
            Ok(commit) => {
                let _ = to.send(commit).await;
            }
            Err(RecvError::Lagged(count)) => {
                tracing::warn!(count, "subscribers are too slow for what is committed");
                metrics::counter!("gymwire_fan_out_lost_commits").increment(count);
            }
            Err(RecvError::Closed) => bail!("the journal has ended"),
        }
    }
}

async fn keep_time(registry: Registry, clock: Clock, stop: CancellationToken) -> Result<()> {
    let mut wait = FIRST_FLOOR;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = clock.cloud_told() => {}
            () = sleep(wait) => {}
        }
        let trusted_ms = clock.trusted_ms();
        if let Some(now_ms) = trusted_ms {
            clock.raise_floor(now_ms);
            wait = FLOOR_EVERY;
        }
        // Without it the next start only knows less about the time.
        if let Err(error) = registry.keep_time(trusted_ms, clock.cloud_time()).await {
            tracing::warn!(?error, "what is known of the time was not kept");
        }
    }
}

/// The first task to end ends the agent, and its error is the exit status that systemd sees.
async fn supervise(
    tasks: &mut JoinSet<Result<()>>,
    stop: &CancellationToken,
    signals: &mut Signals,
) -> Result<()> {
    let end = tokio::select! {
        () = signals.next() => Ok(()),
        Some(ended) = tasks.join_next() => match ended {
            Ok(Ok(())) => Err(anyhow!("a part of the agent ended unasked")),
            Ok(Err(error)) => Err(error),
            Err(panic) => Err(panic.into()),
        },
    };
    tracing::info!("the edge agent stops");
    watchdog::notify(&[NotifyState::Stopping]);
    stop.cancel();
    let rest = async { while tasks.join_next().await.is_some() {} };
    let in_time = tokio::select! {
        ended = timeout(GRACE, rest) => ended.context("parts of the agent did not stop in time"),
        () = signals.next() => Err(anyhow!("stopped hard by a second signal")),
    };
    end.and(in_time)
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
