//! How long an ack takes at 1 000 messages a second from 200 clients.

use super::flood::Template;
use super::table::Row;
use crate::mqtt::{Connection, Flow, Login, Pace};
use crate::seed::Seed;
use crate::times::Times;
use anyhow::Result;
use protocol::sync::entry::DeviceKind;
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;

const MACHINES: usize = 196;
const READERS: usize = 4;
/// Of every client.
const GAP: Duration = Duration::from_millis(200);
/// 20 s.
const MESSAGES: u64 = 100;
const TAP_LIMIT: Duration = Duration::from_millis(10);
/// Default group time and 20 ms.
const TELEMETRY_LIMIT: Duration = Duration::from_millis(520);

/// Percentiles of both classes.
pub async fn measure() -> Result<Vec<Row>> {
    let (mut edge, machines) = super::alone(MACHINES).await?;
    let codes: Vec<String> = (0..READERS).map(|number| format!("door-{number}")).collect();
    let readers = edge.add_devices(DeviceKind::Reader, &codes).await?;
    edge.start().await?;
    let mqtt = edge.ports().mqtt;
    let mut seed = Seed::new(1);
    let (mut telemetry, mut taps) = (JoinSet::new(), JoinSet::new());
    for login in machines {
        telemetry.spawn(samples(mqtt, login, seed.part(1), phase(&mut seed)));
    }
    for login in readers {
        taps.spawn(present(mqtt, login, phase(&mut seed)));
    }
    let (telemetry, taps) = (collect(telemetry).await?, collect(taps).await?);
    edge.stop().await?;
    Ok(vec![
        Row::p99("ack of a tap, p99, at 1 000 msg/s from 200 clients", &taps, TAP_LIMIT),
        Row::p99("ack of telemetry, p99, same load", &telemetry, TELEMETRY_LIMIT),
    ])
}

fn phase(seed: &mut Seed) -> Duration {
    GAP.mul_f64(seed.unit()) + Duration::from_millis(500)
}

async fn samples(mqtt: SocketAddr, login: Login, mut seed: Seed, first: Duration) -> Result<Times> {
    let topic = format!("gymwire/v1/machines/{}/telemetry", login.user);
    let mut template = Template::new(seed.next_u32());
    paced(mqtt, &login, first, |number, connection| {
        connection.queue(&topic, template.with(number), number, false);
    })
    .await
}

async fn present(mqtt: SocketAddr, login: Login, first: Duration) -> Result<Times> {
    let topic = format!("gymwire/v1/readers/{}/tap", login.user);
    paced(mqtt, &login, first, |number, connection| {
        let tap = json!({
            "tap_id": uuid::Uuid::now_v7(), "age_ms": 0,
            "credential": {"kind": "nfc_uid", "uid": format!("04{number:012x}")},
        });
        connection.queue(&topic, tap.to_string().as_bytes(), number, false);
    })
    .await
}

async fn paced(
    mqtt: SocketAddr,
    login: &Login,
    first: Duration,
    make: impl FnMut(u64, &mut Connection),
) -> Result<Times> {
    let mut connection = Connection::open(mqtt, login).await?;
    let mut times = Times::new();
    let flow = Flow { count: MESSAGES, window: 100, pace: Pace::Every(GAP, first) };
    let note = |ack: crate::mqtt::Acked| {
        times.record(ack.after);
        true
    };
    flow.run(&mut connection, make, note).await?;
    connection.close().await?;
    Ok(times)
}

async fn collect(mut clients: JoinSet<Result<Times>>) -> Result<Times> {
    let mut all = Times::new();
    while let Some(times) = clients.join_next().await {
        all.merge(&times??);
    }
    Ok(all)
}
