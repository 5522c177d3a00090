//! 200 devices that lost their connection and come back over TLS at the same moment.

use super::table::Row;
use crate::mqtt::{Login, TlsDoor};
use anyhow::Result;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const DEVICES: usize = 200;
const LIMIT: Duration = Duration::from_secs(2);

/// The time until the last of them is in.
pub async fn measure() -> Result<Vec<Row>> {
    let (mut edge, logins) = super::alone(DEVICES).await?;
    edge.start().await?;
    let door = TlsDoor::new(edge.ports().mqtts, &edge.ca().await?)?;
    let first = all_connect(&door, &logins).await?;
    // The connections are gone now, and all come back.
    let again = all_connect(&door, &logins).await?;
    edge.stop().await?;
    Ok(vec![Row::judged(
        "200 devices reconnect at once over TLS",
        format!("{:.2} s", again.as_secs_f64()),
        format!("at most {LIMIT:?} (first time {:.2} s; full handshakes)", first.as_secs_f64()),
        again <= LIMIT,
    )])
}

async fn all_connect(door: &TlsDoor, logins: &[Login]) -> Result<Duration> {
    let start = Instant::now();
    let mut connecting = JoinSet::new();
    for login in logins {
        let (door, login) = (door.clone(), login.clone());
        connecting.spawn(async move { door.connect(&login).await });
    }
    let mut connections = Vec::new();
    while let Some(connected) = connecting.join_next().await {
        connections.push(connected??);
    }
    Ok(start.elapsed())
}
