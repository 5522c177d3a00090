//! From the start of the agent to its first ack, over a journal of 1 GB.

use super::table::Row;
use crate::edge::Edge;
use crate::mqtt::{Connection, Login};
use crate::seed::Seed;
use anyhow::{Context as _, Result};
use edge_agent::journal::{Journal, JournalConfig, Received, What};
use edge_agent::ops::clock::Clock;
use protocol::ids::DeviceId;
use protocol::machine::{FIELDS, Sample};
use protocol::sync::entry::Source;
use serde_json::json;
use std::fs;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const SIZE: u64 = 1 << 30;
const LIMIT: Duration = Duration::from_secs(1);
/// Samples in one go while the journal is filled.
const PORTION: u64 = 20_000;

/// The time until a set is acked, with a cold and a warm file.
pub async fn measure() -> Result<Vec<Row>> {
    let (mut edge, logins) = super::alone(1).await?;
    let bytes = fill(&edge).await?;
    let first = start_to_ack(&mut edge, &logins[0], 1).await?;
    edge.kill().await?;
    let after_kill = start_to_ack(&mut edge, &logins[0], 2).await?;
    edge.stop().await?;
    Ok(vec![Row::judged(
        &format!("agent start to first ack, journal of {:.1} GB", gigabytes(bytes)),
        format!("{:.2} s", after_kill.as_secs_f64()),
        format!("at most {LIMIT:?}, after kill -9 (after a stop {:.2} s)", first.as_secs_f64()),
        first.max(after_kill) <= LIMIT,
    )])
}

async fn start_to_ack(edge: &mut Edge, login: &Login, seq: u64) -> Result<Duration> {
    let start = Instant::now();
    let mut process = edge.spawn()?;
    let mut connection = loop {
        process.ensure_alive()?;
        match Connection::open(edge.ports().mqtt, login).await {
            Ok(connection) => break connection,
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    };
    let set = json!({"seq": seq, "boot": 1, "reps": 10, "weight_kg": 40.0}).to_string();
    let topic = format!("gymwire/v1/machines/{}/set", login.user);
    connection.queue(&topic, set.as_bytes(), seq, false);
    connection.flush().await?;
    connection.acks().await?;
    let took = start.elapsed();
    edge.adopt(process);
    Ok(took)
}

/// Fills the journal with samples that do not pack well: every field jumps over its whole range.
async fn fill(edge: &Edge) -> Result<u64> {
    let mut config = JournalConfig::new(edge.state());
    config.check_after = None;
    let path = config.path();
    let (journal, _) = Journal::open(config, Clock::system())?;
    let mut seed = Seed::new(1);
    let mut seq = 0;
    while fs::metadata(&path).map_or(0, |file| file.len()) < SIZE {
        let mut portion = Vec::new();
        for _ in 0..PORTION / 500 {
            let machine = DeviceId(uuid::Uuid::from_u128(seed.between(1, 200).into()));
            let samples = (0..500).map(|_| noise(&mut seed, &mut seq)).collect();
            portion.push(Received::new(Source::Device(machine), What::Telemetry(samples)));
        }
        journal.submit(portion).await.context("the journal is closed")?;
    }
    journal.close().await;
    Ok(fs::metadata(&path)?.len())
}

fn noise(seed: &mut Seed, seq: &mut u64) -> Sample {
    *seq += 1;
    let mut sample = Sample { seq: *seq, boot: Some(1), ..Sample::default() };
    for spec in &FIELDS {
        sample.fields.set(spec.field, seed.real(spec.min, spec.max));
    }
    sample
}

fn gigabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX)) / f64::from(1 << 20)
}
