//! From a tap that is published to the decision at the reader, and how soon a roster counts.

use super::table::Row;
use crate::doors;
use crate::edge::Edge;
use crate::metrics::BACKLOG;
use crate::mqtt::Login;
use crate::scene::{self, Scene};
use crate::times::Times;
use anyhow::Result;
use edge_agent::ops::clock::Clock;
use edge_agent::registry::Registry;
use protocol::machine::{Field, Sample};
use protocol::mqtt::payloads::telemetry_json;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

const READER: &str = "door-1";
const FEW: u32 = 500;
const MANY: u32 = 50_000;
const TAPS: u32 = 300;
/// Between a decision and the next tap.
const PAUSE: Duration = Duration::from_millis(50);
/// The same while much else goes on, so that many taps fall into it.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
const MACHINES: usize = 50;
const SAMPLES_EACH: usize = 20_000;
/// Samples of a message.
const MESSAGE: usize = 250;
const LIMIT: Duration = Duration::from_millis(20);
/// What we want of ourselves where the roster is as large as it may be.
const GOAL: Duration = Duration::from_millis(10);
const ROSTER_LIMIT: Duration = Duration::from_secs(2);

/// Decisions with a small and a large roster, and the large roster itself.
pub async fn measure() -> Result<Vec<Row>> {
    let few = taps(FEW).await?;
    let many = taps(MANY).await?;
    let (busy, told) = busy().await?;
    Ok(vec![
        Row::p99("tap published to decision at the reader, p99", &few, LIMIT),
        Row::p99("  the same with a roster of 50 000 members", &many, GOAL),
        Row::p99(&format!("  and {told}"), &busy, GOAL),
        roster().await?,
    ])
}

async fn taps(members: u32) -> Result<Times> {
    let mut edge = Edge::new()?;
    edge.configure("agent.log = \"warn\"\n")?;
    let login = doors::furnish(&edge, READER, members).await?;
    edge.start().await?;
    let times = doors::time_taps(edge.ports().mqtt, &login, members, TAPS, PAUSE).await?;
    edge.stop().await?;
    Ok(times)
}

/// The same while snapshots of all members come one after the other and a million samples drain; how many of both.
async fn busy() -> Result<(Times, String)> {
    let codes: Vec<String> = (0..MACHINES).map(|number| format!("bike-{number}")).collect();
    let (mut scene, logins) = Scene::with_machines(&codes).await?;
    scene.site.members((0..MANY).map(doors::card)).await?;
    let reader = scene.site.reader(READER).await?;
    scene::known(&scene.edge, &reader).await?;
    scene.link.cut();
    for login in &logins {
        fill(&scene, login).await?;
    }
    scene.link.heal();
    let mqtt = scene.edge.ports().mqtt;
    let before = scene.edge.metric(BACKLOG).await?;
    let (is_over, applied) = (AtomicBool::new(false), AtomicU32::new(0));
    let telling = async {
        while !is_over.load(Relaxed) {
            tell_everything(&scene, applied.fetch_add(1, Relaxed)).await?;
        }
        anyhow::Ok(())
    };
    let tapping = async {
        let times = doors::time_taps(mqtt, &reader, MANY, TAPS, BUSY_PAUSE).await;
        is_over.store(true, Relaxed);
        times
    };
    let (told, times) = tokio::join!(telling, tapping);
    told?;
    let drained = before - scene.edge.metric(BACKLOG).await?;
    scene.edge.stop().await?;
    scene.cloud.stop().await?;
    let snapshots = applied.into_inner();
    Ok((times?, format!("{snapshots} snapshots of them come and {drained:.0} entries drain")))
}

/// Until the edge has taken over a snapshot: it knows a reader that is new in it.
async fn tell_everything(scene: &Scene, number: u32) -> Result<()> {
    scene.site.forget_changes().await?;
    let new = scene.site.reader(&format!("new-{number}")).await?;
    scene::known(&scene.edge, &new).await
}

#[expect(clippy::cast_precision_loss, reason = "a small number")]
async fn fill(scene: &Scene, login: &Login) -> Result<()> {
    let mut connection = scene.edge.connect(login).await?;
    let topic = format!("gymwire/v1/machines/{}/telemetry", login.user);
    for first in (0..SAMPLES_EACH).step_by(MESSAGE) {
        let samples: Vec<Sample> = (first..first + MESSAGE)
            .map(|seq| {
                let mut sample = Sample { seq: seq as u64 + 1, boot: Some(1), ..Sample::default() };
                sample.fields.set(Field::PowerW, (seq % 400) as f64);
                sample
            })
            .collect();
        connection.queue(&topic, &telemetry_json(&samples), first as u64, false);
    }
    connection.flush().await?;
    while connection.unacked() > 0 {
        connection.acks().await?;
    }
    connection.close().await
}

/// Until the last page of a snapshot is on disk and counts.
async fn roster() -> Result<Row> {
    let edge = Edge::new()?;
    doors::furnish(&edge, READER, 1).await?;
    let registry = Registry::open(&edge.state(), &Clock::system()).await?.registry;
    let changes = (0..MANY).flat_map(doors::member).collect();
    let took = doors::apply(&registry, changes).await?;
    Ok(Row::judged(
        "roster of 50 000 members with a card each applied",
        format!("{:.2} s", took.as_secs_f64()),
        format!("at most {ROSTER_LIMIT:?}"),
        took <= ROSTER_LIMIT,
    ))
}
