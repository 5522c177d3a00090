//! Memory after 100 000 clients, most with ids nobody knows, and as many topics nobody has.

use super::table::Row;
use crate::mqtt::{Connection, Login};
use crate::seed::Seed;
use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::timeout;

const HOSTILE: u64 = 100_000;
/// At the same time.
const WORKERS: u64 = 64;
/// One of so many knows a secret and tries foreign topics.
const INSIDER_EVERY: u64 = 10;
const GROWTH_LIMIT_MB: f64 = 5.0;
const LIMIT: Duration = Duration::from_secs(10);

/// Growth of the agent.
pub async fn measure() -> Result<Vec<Row>> {
    let (mut edge, logins) = super::alone(200).await?;
    edge.start().await?;
    let mqtt = edge.ports().mqtt;
    super::disk::run(mqtt, &logins, 5, 1).await?;
    // What every connection costs once is there then.
    attack(mqtt, &logins, HOSTILE / 20, 1).await?;
    let before = edge.process()?.rss_bytes()?;
    attack(mqtt, &logins, HOSTILE, 2).await?;
    let after = edge.process()?.rss_bytes()?;
    super::disk::run(mqtt, &logins, 5, 3).await?;
    edge.stop().await?;
    let grown_mb = (megabytes(after) - megabytes(before)).max(0.0);
    Ok(vec![Row::judged(
        "growth after 100 000 hostile client ids and topics",
        format!("{grown_mb:.1} MB"),
        format!("at most {GROWTH_LIMIT_MB} MB (from {:.1} MB)", megabytes(before)),
        grown_mb <= GROWTH_LIMIT_MB,
    )])
}

async fn attack(mqtt: SocketAddr, logins: &[Login], count: u64, seed: u64) -> Result<()> {
    let mut workers = JoinSet::new();
    for number in 0..WORKERS {
        let seed = Seed::new(seed).part(number);
        workers.spawn(worker(mqtt, logins.to_vec(), count.div_ceil(WORKERS), seed));
    }
    while let Some(ended) = workers.join_next().await {
        ended??;
    }
    Ok(())
}

async fn worker(mqtt: SocketAddr, logins: Vec<Login>, count: u64, mut seed: Seed) -> Result<()> {
    for number in 0..count {
        let socket = TcpSocket::new_v4()?;
        // Each from an address of its own: who fails again from the same one is answered later and later.
        let [net, subnet, host, ..] = seed.bits().to_le_bytes();
        socket.bind(SocketAddr::from((Ipv4Addr::new(127, net, subnet, host.clamp(1, 254)), 0)))?;
        let stream = socket.connect(mqtt).await?;
        stream.set_zero_linger()?;
        let is_insider = number.is_multiple_of(INSIDER_EVERY);
        let login = if is_insider { seed.one_of(&logins).clone() } else { stranger(&mut seed) };
        let connected = timeout(LIMIT, Connection::over(stream, &login)).await?;
        if let Ok(mut connection) = connected {
            // Topics for those who have not come so far.
            for _ in 0..INSIDER_EVERY {
                let filter = format!("hostile/{}/#", seed.bits());
                let _ = timeout(LIMIT, connection.subscribe(&filter)).await?;
            }
            let random = seed.bits();
            connection.queue(&format!("hostile/{random}"), b"{}", 0, false);
            let _ = connection.flush().await;
            let _ = timeout(Duration::from_millis(20), connection.acks()).await;
        }
    }
    Ok(())
}

fn stranger(seed: &mut Seed) -> Login {
    let user = format!("hostile-{:016x}", seed.bits());
    Login { user, password: Some("no secret".to_owned()) }
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1_000).unwrap_or(u32::MAX)) / 1_000.0
}
