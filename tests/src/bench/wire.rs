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
use tokio::time::{Instant, interval, sleep_until};

const MACHINES: usize = 40;
/// Two intervals of 30 s, after which telemetry goes up.
const SECONDS: u64 = 62;
/// An app that shows the floor.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const LIMIT: f64 = 20.0;
/// The rest goes up within an interval.
const DRAIN_LIMIT: Duration = Duration::from_secs(45);

/// Everything that goes up, while nobody looks at the floor and while somebody does.
pub async fn measure() -> Result<Vec<Row>> {
    let (quiet, watched) = (gym_day(false).await?, gym_day(true).await?);
    Ok(vec![
        Row::judged(
            "bytes on the wire per sample, live operation",
            format!("{:.1} B", quiet.all),
            format!("at most {LIMIT} B: history, live lane, long polls, all HTTP headers"),
            quiet.all <= LIMIT,
        ),
        parts(&quiet),
        Row::told(
            "  the same while somebody looks at the floor",
            format!("{:.1} B", watched.all),
            "every sample a second time, within a second".to_owned(),
        ),
        parts(&watched),
    ])
}

fn parts(wire: &Wire) -> Row {
    Row::told(
        "  of it: batches, urgent events, live states",
        format!("{:.1} + {:.1} + {:.1} B", wire.batches, wire.ahead, wire.states),
        "the rest is HTTP headers and long polls".to_owned(),
    )
}

/// Bytes per sample.
struct Wire {
    all: f64,
    batches: f64,
    ahead: f64,
    states: f64,
}

async fn gym_day(is_watched: bool) -> Result<Wire> {
    let gym = gym::machines(MACHINES, &Seed::new(2));
    let codes: Vec<String> = gym.iter().map(|machine| machine.code().to_owned()).collect();
    let (mut scene, logins) = Scene::durable(&codes).await?;
    let (staff, branch) = (scene.staff().await?, scene.site.branch.to_string());
    let before = scene.link.bytes_up();
    let mut machines = JoinSet::new();
    for (machine, login) in gym.into_iter().zip(logins) {
        machines.spawn(run(machine, scene.edge.ports().mqtt, login));
    }
    let mut sent = 0;
    let mut look = interval(LOOK_EVERY);
    loop {
        tokio::select! {
            ended = machines.join_next() => match ended {
                Some(ended) => sent += ended??,
                None => break,
            },
            _ = look.tick(), if is_watched => drop(staff.availability(&branch).await?),
        }
    }
    wait::until_true("the samples are in the cloud", DRAIN_LIMIT, || async {
        let count = "SELECT coalesce(sum(count), 0)::bigint FROM telemetry_chunks";
        let stored: i64 = sqlx::query_scalar(count).fetch_one(&scene.pool).await?;
        Ok(stored >= i64::from(sent))
    })
    .await?;
    let all = f64::from(u32::try_from(scene.link.bytes_up() - before)?);
    let sent = f64::from(sent);
    let wire = Wire {
        all: all / sent,
        batches: scene.edge.metric("gymwire_uplink_batch_bytes_total").await? / sent,
        ahead: scene.edge.metric("gymwire_uplink_ahead_bytes_total").await? / sent,
        states: scene.edge.metric("gymwire_uplink_state_bytes_total").await? / sent,
    };
    scene.edge.stop().await?;
    scene.cloud.stop().await?;
    Ok(wire)
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
