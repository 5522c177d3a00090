//! Bytes on the wire per sample while a gym of 40 machines is open.

use super::table::Row;
use crate::gym::{self, Machine, Said};
use crate::mqtt::{Connection, Login};
use crate::scene::Scene;
use crate::seed::Seed;
use crate::wait;
use anyhow::Result;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

const MACHINES: usize = 40;
/// Two intervals of 30 s, after which telemetry goes up.
const SECONDS: u64 = 62;
const LIMIT: f64 = 20.0;
/// The rest goes up within an interval.
const DRAIN_LIMIT: Duration = Duration::from_secs(45);

/// The way of the samples, and everything that goes up.
pub async fn measure() -> Result<Vec<Row>> {
    let gym = gym::machines(MACHINES, &Seed::new(2));
    let codes: Vec<String> = gym.iter().map(|machine| machine.code().to_owned()).collect();
    let (mut scene, logins) = Scene::durable(&codes).await?;
    let before = scene.link.bytes_up();
    let mut machines = JoinSet::new();
    for (machine, login) in gym.into_iter().zip(logins) {
        machines.spawn(run(machine, scene.edge.ports().mqtt, login));
    }
    let mut sent = 0;
    while let Some(ended) = machines.join_next().await {
        sent += ended??;
    }
    wait::until_true("the samples are in the cloud", DRAIN_LIMIT, || async {
        let count = "SELECT coalesce(sum(count), 0)::bigint FROM telemetry_chunks";
        let stored: i64 = sqlx::query_scalar(count).fetch_one(&scene.pool).await?;
        Ok(stored >= i64::from(sent))
    })
    .await?;
    let all = scene.link.bytes_up() - before;
    let batches = scene.edge.metric("gymwire_uplink_batch_bytes_total").await?;
    let states = scene.edge.metric("gymwire_uplink_state_bytes_total").await?;
    scene.edge.stop().await?;
    scene.cloud.stop().await?;
    let bodies = (batches + states) / f64::from(sent);
    let batches = batches / f64::from(sent);
    let with_live = f64::from(u32::try_from(all)?) / f64::from(sent);
    Ok(vec![
        Row::judged(
            "bytes on the wire per sample, live operation",
            format!("{bodies:.1} B"),
            format!("at most {LIMIT} B: twice, as history and for who watches"),
            bodies <= LIMIT,
        ),
        Row::told(
            "  the history of it: batches with sets and statuses",
            format!("{batches:.1} B"),
            "the rest is the live lane".to_owned(),
        ),
        Row::told(
            "  with the live lane, long polls and all HTTP headers",
            format!("{with_live:.1} B"),
            "whoever watches".to_owned(),
        ),
    ])
}

/// Publishes once a second; how many samples.
async fn run(mut machine: Machine, mqtt: SocketAddr, login: Login) -> Result<u32> {
    let mut connection = Connection::open(mqtt, &login).await?;
    let start = Instant::now();
    let mut samples = 0;
    for second in 0..SECONDS {
        sleep_until(start + Duration::from_secs(second)).await;
        for said in machine.tick(None) {
            samples += u32::from(matches!(said, Said::Sample(_)));
            let topic = format!("gymwire/v1/machines/{}/{}", login.user, said.leaf());
            connection.queue(&topic, &said.json(), second, false);
        }
        connection.flush().await?;
    }
    while connection.unacked() > 0 {
        connection.acks().await?;
    }
    connection.close().await?;
    Ok(samples)
}
