//! As many QoS 1 messages a second as are acked, from 50 clients, with one observer subscribed.

use crate::mqtt::{Connection, Flow, Login, Pace};
use crate::seed::Seed;
use anyhow::{Context as _, Result};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Unacked messages of a client at a time.
const WINDOW: usize = 100;

/// What a broker did.
#[derive(Debug, Clone, Copy)]
pub struct Flooded {
    /// Messages acked in a second.
    pub per_s: f64,
    /// Messages that reached the observer meanwhile.
    pub observed: u64,
}

/// Publishes `count` messages from each of `logins`, each of about 200 bytes.
pub async fn flood(
    broker: SocketAddr,
    logins: &[Login],
    observer: &Login,
    count: u64,
) -> Result<Flooded> {
    let mut watching = Connection::open(broker, observer).await.context("observer")?;
    watching.subscribe("gymwire/v1/machines/+/telemetry").await?;
    let over = CancellationToken::new();
    let mut observing = JoinSet::new();
    observing.spawn(observe(watching, over.clone()));
    let mut clients = Vec::new();
    for login in logins {
        clients.push((Connection::open(broker, login).await.context("machine")?, login.clone()));
    }
    let start = Instant::now();
    let mut flows = JoinSet::new();
    for (connection, login) in clients {
        flows.spawn(publish(connection, login, count));
    }
    while let Some(ended) = flows.join_next().await {
        ended??;
    }
    let took = start.elapsed();
    over.cancel();
    let seen = observing.join_next().await.context("one observer")?.unwrap_or(0);
    let sent = u32::try_from(count * logins.len() as u64)?;
    Ok(Flooded { per_s: f64::from(sent) / took.as_secs_f64(), observed: seen })
}

async fn publish(mut connection: Connection, login: Login, count: u64) -> Result<()> {
    let topic = format!("gymwire/v1/machines/{}/telemetry", login.user);
    let boot = Seed::new(uuid::Uuid::now_v7().as_u64_pair().1).next_u32();
    let mut sample = Template::new(boot);
    let flow = Flow { count, window: WINDOW, pace: Pace::Flood };
    let make = |number, connection: &mut Connection| {
        connection.queue(&topic, sample.with(number), number, false);
    };
    flow.run(&mut connection, make, |_| true).await?;
    connection.close().await
}

async fn observe(mut connection: Connection, over: CancellationToken) -> u64 {
    let mut observed = 0;
    loop {
        tokio::select! {
            received = connection.receive() => match received {
                Ok(_) => observed += 1,
                Err(_) => return observed,
            },
            () = over.cancelled() => break,
        }
    }
    // What is under way still counts.
    while let Ok(Ok(_)) = timeout(Duration::from_millis(200), connection.receive()).await {
        observed += 1;
    }
    observed
}

/// A sample of 200 bytes in which only the number changes, so that the client costs next to nothing.
#[derive(Debug)]
pub struct Template {
    json: Vec<u8>,
}

/// Where the ten digits of the number are.
const DIGITS: std::ops::Range<usize> = 7..17;

impl Template {
    /// For one boot of a device.
    pub fn new(boot: u32) -> Self {
        let json = format!(
            "{{\"seq\":1000000000,\"boot\":{boot:>10},\"uptime_ms\":123456789,\"elapsed_s\":612.0,\
             \"distance_m\":1834.5,\"energy_kcal\":132.4,\"speed_mps\":2.972,\"incline_pct\":1.5,\
             \"power_w\":243.0,\"heart_rate_bpm\":147,\"reps\":100}}"
        );
        Self { json: json.into_bytes() }
    }

    /// The sample with this number.
    pub fn with(&mut self, number: u64) -> &[u8] {
        let mut rest = number;
        for digit in self.json[DIGITS].iter_mut().skip(1).rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
        &self.json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_two_hundred_bytes_and_its_number() {
        let mut template = Template::new(7);

        let json = template.with(42).to_vec();

        let sample = protocol::mqtt::payloads::parse_telemetry(&json).unwrap()[0];
        assert_eq!((sample.seq, sample.boot, json.len()), (1_000_000_042, Some(7), 200));
    }
}
