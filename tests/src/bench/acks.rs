//! Acks after commit, against mosquitto's acks before disk, with the same client.

use super::flood::{Flooded, flood};
use super::mosquitto::Mosquitto;
use super::table::{Row, grouped};
use crate::mqtt::Login;
use anyhow::Result;

/// Clients at the same time.
const CLIENTS: usize = 50;
/// Messages of each client.
const MESSAGES: u64 = 10_000;
/// Each broker has so many tries in turn; the best counts, since other work on the machine only ever slows.
const TRIES: usize = 3;

/// Acks a second of both.
pub async fn measure() -> Result<Vec<Row>> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TRIES {
        theirs.push(mosquitto().await?);
        ours.push(agent().await?);
    }
    let (ours, theirs) = (best(&ours), best(&theirs));
    let ratio = ours.per_s / theirs.per_s;
    Ok(vec![
        Row::judged(
            "QoS 1 acks after commit, 50 clients, 200 B",
            format!("{}/s", grouped(ours.per_s)),
            format!(
                "{ratio:.2} x mosquitto, persistence on, acks before disk: {}/s",
                grouped(theirs.per_s)
            ),
            ratio >= 1.0,
        ),
        Row::told(
            "  of those seen by the observer",
            grouped_u64(ours.observed),
            format!("mosquitto {}, of {}", grouped_u64(theirs.observed), grouped_u64(total())),
        ),
    ])
}

async fn agent() -> Result<Flooded> {
    let (mut edge, logins) = super::alone(CLIENTS).await?;
    let observer = edge.add_observer("display").await?;
    edge.start().await?;
    let flooded = flood(edge.ports().mqtt, &logins, &observer, MESSAGES).await?;
    edge.stop().await?;
    Ok(flooded)
}

async fn mosquitto() -> Result<Flooded> {
    let folder = tempfile::tempdir()?;
    let broker = Mosquitto::start(folder.path()).await?;
    let login = |number: usize| Login { user: format!("bike-{number:03}"), password: None };
    let logins: Vec<Login> = (0..CLIENTS).map(login).collect();
    let observer = Login { user: "display".to_owned(), password: None };
    let flooded = flood(broker.address, &logins, &observer, MESSAGES).await?;
    broker.stop().await?;
    Ok(flooded)
}

fn best(tries: &[Flooded]) -> Flooded {
    *tries.iter().max_by(|one, other| one.per_s.total_cmp(&other.per_s)).expect("there were tries")
}

fn total() -> u64 {
    MESSAGES * CLIENTS as u64
}

fn grouped_u64(number: u64) -> String {
    grouped(f64::from(u32::try_from(number).unwrap_or(u32::MAX)))
}
