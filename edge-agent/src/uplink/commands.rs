//! The cloud's orders to devices of the branch: fetched, delivered while they are worth something, answered.

use super::Uplink;
use super::backoff::Backoff;
use super::http::{Failure, json};
use super::link::Lane;
use super::pending::{Pending, Step};
use super::requests;
use super::token::Cloud;
use crate::ops::orders::{Carried, Then};
use protocol::ids::{CommandId, DeviceId};
use protocol::sync::commands::{Command, CommandReport, Commands};
use protocol::sync::entry::CommandResult;
use reqwest::StatusCode;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often devices that are away are looked for, and times to live are checked.
const TICK: Duration = Duration::from_millis(250);
/// Orders that are being carried out are told again at once: ask no more often than this.
const ASK_EVERY: Duration = Duration::from_millis(900);

/// A device's answer, as the journal committed it.
pub(super) type Answered = (DeviceId, CommandResult);

/// For the cloud, and what follows when it was told.
type Reported = (CommandId, CommandReport, Option<Then>);

/// Carries out commands for as long as the edge is enrolled this way.
pub(super) async fn run(uplink: &Uplink, cloud: &Cloud, answers: &mut mpsc::Receiver<Answered>) {
    let (fetched_to, mut fetched) = mpsc::channel::<(Commands, u64)>(1);
    // Full: reporting waits, and with it only the lane itself.
    let (report_to, reports) = mpsc::channel::<Reported>(256);
    let work = async {
        let mut pending = Pending::default();
        let mut own = Own::default();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some((commands, asked_ms)) = fetched.recv() => {
                    for command in commands.items {
                        pending.add(command, asked_ms);
                    }
                }
                Some((device, result)) = answers.recv() => pending.answered(device, result),
                Some(Ok((id, carried))) = own.tasks.join_next() => own.ended(&mut pending, id, carried),
                _ = tick.tick() => {}
            }
            step(uplink, &mut pending, &mut own, &report_to).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = fetch(uplink, cloud, fetched_to) => {}
        () = report(uplink, cloud, reports) => {}
    }
}

async fn step(
    uplink: &Uplink,
    pending: &mut Pending,
    own: &mut Own,
    report_to: &mpsc::Sender<Reported>,
) {
    let find = |target: &protocol::sync::commands::Target| {
        uplink.registry.by_code(target.code.as_str()).filter(|device| device.kind == target.kind)
    };
    let hears = |device: DeviceId, topic: &str| uplink.publisher.hears(device, topic);
    for step in pending.steps(uplink.clock.mono_ms(), find, hears) {
        match step {
            Step::Publish(publish) => {
                if let Err(error) = uplink.publisher.publish(publish).await {
                    tracing::warn!(?error, "a command was not delivered");
                }
            }
            // One after the other: who comes and goes does so in this order.
            Step::CarryOut(command) => {
                match requests::carry_out(uplink.floor.as_ref(), &command).await {
                    Some(report) => pending.carried_out(command.id, report),
                    None => own.begin(uplink, command),
                }
            }
            Step::Report(id, report) => {
                let _ = report_to.send((id, report, own.then.remove(&id))).await;
            }
        }
    }
}

/// Orders to the edge itself that are being carried out. There are few: each is given by a person.
#[derive(Default)]
struct Own {
    tasks: JoinSet<(CommandId, Carried)>,
    /// What follows when the cloud was told.
    then: HashMap<CommandId, Then>,
}

impl Own {
    fn begin(&mut self, uplink: &Uplink, command: Command) {
        let orders = uplink.orders.get().cloned();
        self.tasks.spawn(async move {
            let carried = match orders {
                Some(orders) => orders.carry_out(&command.command, &command.args).await,
                None => Carried::unknown(&command.command),
            };
            (command.id, carried)
        });
    }

    fn ended(&mut self, pending: &mut Pending, id: CommandId, carried: Carried) {
        self.then.extend(carried.then.map(|then| (id, then)));
        pending.carried_out(id, carried.report);
    }
}

async fn fetch(uplink: &Uplink, cloud: &Cloud, fetched: mpsc::Sender<(Commands, u64)>) {
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_mins(1));
    let mut waiter = uplink.link.waiter();
    loop {
        uplink.link.hold().await;
        let asked = Instant::now();
        // Their time to live counts from when the answer was made. A line that stalled may have held it back for long.
        match ask(cloud).await {
            Ok(commands) => {
                uplink.link.reached(Lane::Commands);
                backoff.reset();
                let age_ms =
                    commands.now_ms.map_or(0, |made_ms| uplink.clock.cloud_age_ms(made_ms));
                let made_ms = uplink.clock.mono_ms().saturating_sub(age_ms);
                if fetched.send((commands, made_ms)).await.is_err() {
                    return;
                }
                tokio::time::sleep_until(asked + ASK_EVERY).await;
            }
            Err(failure) => {
                uplink.failed(Lane::Commands, &failure).await;
                waiter.pause(backoff.next_wait(), &failure).await;
            }
        }
    }
}

async fn ask(cloud: &Cloud) -> Result<Commands, Failure> {
    let url = cloud.url("/commands?wait_s=25");
    let answer = cloud.call(|clients| clients.poll.get(&url)).await?;
    if answer.status() == StatusCode::NO_CONTENT {
        return Ok(Commands { items: Vec::new(), now_ms: None });
    }
    json(answer).await
}

async fn report(uplink: &Uplink, cloud: &Cloud, mut reports: mpsc::Receiver<Reported>) {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_mins(1));
    let mut waiter = uplink.link.waiter();
    while let Some((id, report, then)) = reports.recv().await {
        let url = cloud.url(&format!("/commands/{id}/result"));
        while let Err(failure) = cloud.call(|clients| clients.live.post(&url).json(&report)).await {
            if failure.status().is_some_and(is_final) {
                tracing::warn!(%id, %failure, "the cloud does not take a command's result");
                break;
            }
            uplink.failed(Lane::Commands, &failure).await;
            waiter.pause(backoff.next_wait(), &failure).await;
        }
        backoff.reset();
        if let (Some(then), Some(orders)) = (then, uplink.orders.get()) {
            orders.finish(then);
        }
    }
}

/// Asking again would bring the same: the cloud knows no such command, or has its result.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error()
        && !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS)
}
