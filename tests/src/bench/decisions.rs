//! From a tap that is published to the decision at the reader, and how soon a roster counts.

use super::table::Row;
use crate::doors;
use crate::edge::Edge;
use crate::times::Times;
use anyhow::Result;
use edge_agent::ops::clock::Clock;
use edge_agent::registry::Registry;
use std::time::Duration;

const READER: &str = "door-1";
const FEW: u32 = 500;
const MANY: u32 = 50_000;
const TAPS: u32 = 300;
/// Between a decision and the next tap.
const PAUSE: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_millis(20);
/// What we want of ourselves where the roster is as large as it may be.
const GOAL: Duration = Duration::from_millis(10);
const ROSTER_LIMIT: Duration = Duration::from_secs(2);

/// Decisions with a small and a large roster, and the large roster itself.
pub async fn measure() -> Result<Vec<Row>> {
    let few = taps(FEW).await?;
    let many = taps(MANY).await?;
    Ok(vec![
        Row::p99("tap published to decision at the reader, p99", &few, LIMIT),
        Row::p99("  the same with a roster of 50 000 members", &many, GOAL),
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
