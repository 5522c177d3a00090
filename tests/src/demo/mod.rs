//! `make demo`: a gym at work, an outage of the cloud in the middle of it, and a count at the end.

pub mod count;
mod figures;
mod freshness;
mod hardware;
mod lending;
mod machines;
mod members;
mod place;
pub mod report;
mod script;
pub mod seeded;
mod system;
mod tally;
mod training;
mod view;

use crate::gym::Machine;
use crate::ledger::{self, Ids};
use crate::seed::Seed;
use crate::times::Times;
use crate::wait;
use anyhow::{Context as _, Result, bail};
use count::BranchHardware;
use figures::Figures;
use lending::Lending;
use members::Crowd;
use report::Report;
use script::Script;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use system::System;
use tally::Tally;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use view::View;

/// How long the backlog may take to reach the cloud after the end.
const DRAIN_LIMIT: Duration = Duration::from_mins(1);

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where everything is kept.
    pub folder: PathBuf,
    /// How long the gym is open.
    pub duration: Duration,
    /// Go on after the count, until a signal.
    pub keep: bool,
    /// Use free ports instead of the usual ones.
    pub free_ports: bool,
}

/// Runs the demo until its end, or until `stopped`.
pub async fn run(options: Options, stopped: CancellationToken) -> Result<Report> {
    let view = View::new();
    let folder = std::path::absolute(&options.folder)?;
    let options = Options { folder, ..options };
    let say = |text: &str| view.say(text);
    let start = System::start(&options, &say);
    let mut system = tokio::select! {
        started = start => started?,
        () = stopped.cancelled() => anyhow::bail!("stopped"),
    };
    let tally = Arc::new(Tally::new());
    let mut crowd = Crowd::new(&system.seeded, Seed::announced("members"))?;
    let ran = open(&mut system, &mut crowd, &options, &tally, &view, &stopped).await;
    let report = match ran {
        Ok(to_api) => conclude(&mut system, &tally, to_api, &view).await,
        Err(error) => Err(error),
    };
    if let Ok(report) = &report {
        view.show(report);
        if options.keep {
            keep(&mut system, &mut crowd, &tally, &view, &stopped).await?;
        }
    }
    view.say("stopping");
    let ended = system.stop().await;
    let report = report?;
    ended.map(|()| report)
}

/// The gym is open: machines and members at work, the link cut and healed. Gives the age of samples in the live
/// view.
async fn open(
    system: &mut System,
    crowd: &mut Crowd,
    options: &Options,
    tally: &Arc<Tally>,
    view: &View,
    stopped: &CancellationToken,
) -> Result<Times> {
    let script = Script::new(options.duration);
    let closed = CancellationToken::new();
    let seed = Seed::announced("demo");
    let mut clients = populate(system, tally, &seed, &closed)?;
    let start = Instant::now();
    let scenes = async {
        sleep_until(start + script.cut).await;
        view.say("cutting the edge from the cloud");
        system.link.cut();
        sleep_until(start + script.heal).await;
        view.say("the link is back");
        system.link.heal();
        sleep_until(start + script.close).await;
    };
    let mut people = Box::pin(people(system, crowd, tally, seed.part(u64::MAX), &closed));
    let watching = async {
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            second.tick().await;
            let figures = Figures::read(system, tally).await;
            view.figures(start.elapsed(), script.is_cut(start.elapsed()), &figures);
        }
    };
    let ages = Mutex::default();
    tokio::select! {
        () = scenes => {}
        () = stopped.cancelled() => {}
        ended = &mut people => {
            ended?;
            bail!("everybody has left an open gym");
        }
        () = watching => {}
        () = freshness::watch(&system.staff, &system.seeded.branch.id, &ages) => {}
    }
    system.link.heal();
    closed.cancel();
    view.say("the gym closes; waiting for the last acks");
    people.await?;
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    system.ensure_alive()?;
    Ok(ages.into_inner().unwrap_or_default())
}

/// Everybody who comes to the door or trains where the bridge speaks for the machine, until the gym closes.
async fn people(
    system: &System,
    crowd: &mut Crowd,
    tally: &Arc<Tally>,
    seed: Seed,
    closed: &CancellationToken,
) -> Result<()> {
    let coming = members::come(crowd, system, tally, closed);
    let own = seed.part(1);
    let lending = training::train(system, tally, &own, closed);
    let boards = system.hardware.train(seed.part(2), closed);
    let ((), (), messages) = tokio::try_join!(coming, lending, boards)?;
    tally.trained(messages);
    Ok(())
}

/// Connects every machine of the demo gym.
fn populate(
    system: &System,
    tally: &Arc<Tally>,
    seed: &Seed,
    closed: &CancellationToken,
) -> Result<JoinSet<Result<()>>> {
    let mut clients = JoinSet::new();
    for (number, device) in system.seeded.machines().enumerate() {
        let machine = Machine::new(&device.code, device.simulated(), seed.part(number as u64));
        let login = system.seeded.login(&device.code)?;
        let mqtt = system.edge.ports().mqtt;
        clients.spawn(machines::run(machine, mqtt, login, tally.clone(), closed.clone()));
    }
    Ok(clients)
}

/// Waits until everything is in the cloud, and counts.
async fn conclude(
    system: &mut System,
    tally: &Tally,
    to_api: Times,
    view: &View,
) -> Result<Report> {
    view.say("waiting until everything has reached the cloud");
    let counts = tally.counts();
    // What is missing after this time is told by the report.
    let drained = wait::until_true("everything is in the cloud", DRAIN_LIMIT, || async {
        let stored: Ids = ledger::stored(&system.database).await?;
        let presented = ledger::presented(&system.database).await?;
        let everybody = counts.presented.iter().all(|code| presented.contains_key(code));
        let everybody = everybody && Lending::read(&system.database).await?.judge(&counts).is_ok();
        let everybody = everybody && BranchHardware::read(system).await?.is_complete(&counts);
        let samples = i64::try_from(counts.samples)?;
        let rolled_up = report::samples_in_api(system).await? >= samples;
        Ok(everybody && rolled_up && counts.ledger.judge(&stored).missing.is_empty())
    })
    .await;
    if let Err(error) = drained {
        view.say(&format!("{error:#}"));
    }
    Report::make(system, counts, to_api).await.context("cannot count")
}

/// Goes on as before, until a signal.
async fn keep(
    system: &mut System,
    crowd: &mut Crowd,
    tally: &Arc<Tally>,
    view: &View,
    stopped: &CancellationToken,
) -> Result<()> {
    view.say(&system.addresses().await?);
    let closed = CancellationToken::new();
    let seed = Seed::announced("demo, going on");
    let mut clients = populate(system, tally, &seed, &closed)?;
    tokio::select! {
        () = stopped.cancelled() => {}
        ended = people(system, crowd, tally, seed.part(u64::MAX), &closed) => ended?,
    }
    closed.cancel();
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    Ok(())
}
