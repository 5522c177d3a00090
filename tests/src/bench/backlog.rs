//! A million samples of backlog: how soon the live state is there, how fast the rest follows, in how many bytes.

use super::copy::{Copied, copy};
use super::table::{Row, grouped};
use crate::gym::{self, Machine, Said};
use crate::mqtt::{Connection, Login};
use crate::scene::Scene;
use crate::seed::Seed;
use crate::wait;
use anyhow::{Context as _, Result};
use protocol::machine::Sample;
use protocol::mqtt::payloads::telemetry_json;
use sqlx::PgPool;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const MACHINES: usize = 200;
const SAMPLES_EACH: usize = 5_000;
/// Samples of a message: below the limit of 64 KiB.
const MESSAGE: usize = 200;
const LIVE_LIMIT: Duration = Duration::from_secs(2);
const WIRE_LIMIT: f64 = 10.0;
const COPY_FACTOR: f64 = 3.0;
const DRAIN_LIMIT: Duration = Duration::from_mins(5);

/// Live state, drain and wire.
pub async fn measure() -> Result<Vec<Row>> {
    let gym = gym::machines(MACHINES, &Seed::new(1));
    let codes: Vec<String> = gym.iter().map(|machine| machine.code().to_owned()).collect();
    let (mut scene, logins) = Scene::durable(&codes).await?;
    let samples: Vec<Vec<Sample>> = gym.into_iter().map(samples).collect();
    scene.link.cut();
    publish(scene.edge.ports().mqtt, &logins, &samples).await?;
    let before = scene.link.bytes_up();

    let healed = Instant::now();
    scene.link.heal();
    let live = live(&scene, healed).await?;
    let total = MACHINES * SAMPLES_EACH;
    wait::until_true("the backlog is in the cloud", DRAIN_LIMIT, || async {
        Ok(stored(&scene.pool).await? >= i64::try_from(total)?)
    })
    .await?;
    // The drain begins when the edge has found its way back, which is the row above it.
    let drained = healed.elapsed().saturating_sub(live);
    let bytes = scene.link.bytes_up() - before;
    scene.edge.stop().await?;
    scene.cloud.stop().await?;

    let flat: Vec<(usize, Sample)> = samples
        .iter()
        .enumerate()
        .flat_map(|(machine, samples)| samples.iter().map(move |sample| (machine, *sample)))
        .collect();
    let copied = copy(&scene.pool, &flat).await?;
    let (json, packed_json) = as_json(&samples)?;
    Ok(rows(total, live, drained, copied, (bytes, json, packed_json)))
}

fn rows(
    total: usize,
    live: Duration,
    drained: Duration,
    copied: Copied,
    (bytes, json, packed_json): (u64, usize, usize),
) -> Vec<Row> {
    let count = float(total as u64);
    let factor = |peer: Duration| peer.as_secs_f64() / drained.as_secs_f64();
    let rate = |took: Duration| grouped(count / took.as_secs_f64());
    let per_sample = float(bytes) / count;
    let against = |what: &str, peer: Duration| {
        Row::judged(
            what,
            format!("{}/s", rate(drained)),
            format!("{:.2} x COPY of the same as rows: {}/s", factor(peer), rate(peer)),
            factor(peer) >= COPY_FACTOR,
        )
    };
    vec![
        Row::judged(
            "live state in the cloud, 1 000 000 samples behind it",
            format!("{:.2} s", live.as_secs_f64()),
            format!("at most {LIVE_LIMIT:?} after the link is back"),
            live <= LIVE_LIMIT,
        ),
        against("backlog drain, journal to Postgres, COPY with a key", copied.keyed),
        against("  the same, COPY into a table without any key", copied.bare),
        Row::judged(
            "bytes on the wire per sample, backlog",
            format!("{per_sample:.2} B"),
            format!(
                "at most {WIRE_LIMIT} B; {:.1} x less than JSON, {:.1} x less than JSON + zstd",
                float(json as u64) / float(bytes),
                float(packed_json as u64) / float(bytes)
            ),
            per_sample <= WIRE_LIMIT,
        ),
    ]
}

/// What a machine measures, one sample a second while it is used.
fn samples(mut machine: Machine) -> Vec<Sample> {
    let mut samples = Vec::with_capacity(SAMPLES_EACH);
    while samples.len() < SAMPLES_EACH {
        let said = machine.tick(None);
        samples.extend(said.into_iter().filter_map(|said| match said {
            Said::Sample(sample) => Some(sample),
            _ => None,
        }));
    }
    samples.truncate(SAMPLES_EACH);
    samples
}

/// All machines at the same time, several samples to a message.
async fn publish(mqtt: SocketAddr, logins: &[Login], samples: &[Vec<Sample>]) -> Result<()> {
    let mut machines = JoinSet::new();
    for (login, samples) in logins.iter().zip(samples) {
        machines.spawn(one(mqtt, login.clone(), samples.clone()));
    }
    while let Some(ended) = machines.join_next().await {
        ended??;
    }
    Ok(())
}

async fn one(mqtt: SocketAddr, login: Login, samples: Vec<Sample>) -> Result<()> {
    let mut connection = Connection::open(mqtt, &login).await?;
    let topic = format!("gymwire/v1/machines/{}/telemetry", login.user);
    for (number, message) in samples.chunks(MESSAGE).enumerate() {
        connection.queue(&topic, &telemetry_json(message), number as u64, false);
    }
    connection.flush().await?;
    while connection.unacked() > 0 {
        connection.acks().await?;
    }
    // The state that has to be seen first in the cloud.
    let status = format!("gymwire/v1/machines/{}/status", login.user);
    connection.queue(&status, br#"{"state":"out_of_order"}"#, u64::MAX, false);
    connection.flush().await?;
    connection.acks().await?;
    connection.close().await
}

/// How long after the heal the cloud shows the state of the floor.
async fn live(scene: &Scene, healed: Instant) -> Result<Duration> {
    let staff = scene.staff().await?;
    let branch = scene.site.branch.to_string();
    wait::until_true("the cloud shows the floor", DRAIN_LIMIT, || async {
        let machines = staff.availability(&branch).await?;
        Ok(machines.iter().any(|machine| machine["availability"] == "out_of_order"))
    })
    .await
    .context("live state")?;
    Ok(healed.elapsed())
}

async fn stored(db: &PgPool) -> Result<i64> {
    let count = "SELECT coalesce(sum(count), 0)::bigint FROM telemetry_chunks";
    Ok(sqlx::query_scalar(count).fetch_one(db).await?)
}

/// The same samples as lines of JSON: their size, and with zstd in portions as large as a batch.
fn as_json(samples: &[Vec<Sample>]) -> Result<(usize, usize)> {
    let (mut plain, mut packed) = (0, 0);
    for machine in samples {
        let json = telemetry_json(machine);
        plain += json.len();
        packed += zstd::bulk::compress(&json, 3)?.len();
    }
    Ok((plain, packed))
}

fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
