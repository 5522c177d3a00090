//! Bytes written to disk, syncs and memory at 200 machines that send a sample of 200 bytes every second.

use super::flood::Template;
use super::table::Row;
use crate::edge::Edge;
use crate::mqtt::{Connection, Flow, Login, Pace};
use crate::process::Process;
use crate::seed::Seed;
use anyhow::{Context as _, Result};
use rustix::process::Signal;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

const MACHINES: usize = 200;
/// Long enough that the log is moved into the file at least once.
const SECONDS: u64 = 150;
const WARM_UP_S: u64 = 5;
/// How long the syncs are counted, after the bytes were.
const TRACED_S: u64 = 10;
const PAYLOAD: f64 = 200.0;
const RSS_LIMIT_MB: f64 = 40.0;

/// Written bytes, syncs, memory.
pub async fn measure() -> Result<Vec<Row>> {
    let (mut edge, logins) = super::alone(MACHINES).await?;
    edge.start().await?;
    // The agent makes its files, and a reserve for a full disk, once.
    run(edge.ports().mqtt, &logins, WARM_UP_S, 3).await?;
    let before = edge.process()?.written_bytes()?;
    run(edge.ports().mqtt, &logins, SECONDS, 1).await?;
    let written = edge.process()?.written_bytes()? - before;
    let rss = edge.process()?.peak_rss_bytes()?;
    let syncs = syncs(&mut edge, &logins).await;
    // The last checkpoint belongs to it: it is made when the agent stops.
    edge.stop().await?;
    let samples = float(MACHINES as u64 * SECONDS);
    let per_sample = float(written) / samples;
    let rss_mb = float(rss) / 1e6;
    Ok(vec![
        Row::judged(
            "bytes written to disk per sample of 200 B",
            format!("{per_sample:.0} B"),
            format!("at most 1.0 x payload: {:.2} x", per_sample / PAYLOAD),
            per_sample <= PAYLOAD,
        ),
        Row::told(
            "  syncs per second, same load",
            syncs.map_or_else(|error| format!("? ({error:#})"), |syncs| format!("{syncs:.1}")),
            "groups of 500 ms: 2 commits a second".to_owned(),
        ),
        Row::judged(
            "agent's peak memory at 200 machines x 1 Hz",
            format!("{rss_mb:.1} MB"),
            format!("at most {RSS_LIMIT_MB} MB"),
            rss_mb <= RSS_LIMIT_MB,
        ),
    ])
}

/// Every machine sends a sample a second.
pub async fn run(mqtt: SocketAddr, logins: &[Login], seconds: u64, boot: u64) -> Result<()> {
    let mut seed = Seed::new(boot);
    let mut clients = JoinSet::new();
    for login in logins {
        let phase = Duration::from_millis(seed.between(0, 1_000));
        clients.spawn(machine(mqtt, login.clone(), seconds, phase, seed.next_u32()));
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    Ok(())
}

async fn machine(
    mqtt: SocketAddr,
    login: Login,
    seconds: u64,
    phase: Duration,
    boot: u32,
) -> Result<()> {
    let mut connection = Connection::open(mqtt, &login).await?;
    let topic = format!("gymwire/v1/machines/{}/telemetry", login.user);
    let mut template = Template::new(boot);
    let pace = Pace::Every(Duration::from_secs(1), phase);
    let flow = Flow { count: seconds, window: 100, pace };
    let make = |number, connection: &mut Connection| {
        connection.queue(&topic, template.with(number), number, false);
    };
    flow.run(&mut connection, make, |_| true).await?;
    connection.close().await
}

/// Counts `fsync` and `fdatasync` with strace, under the same load.
async fn syncs(edge: &mut Edge, logins: &[Login]) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let counted = folder.path().join("strace");
    let pid = edge.process()?.pid()?.to_string();
    let output = counted.to_str().context("the path is UTF-8")?;
    let arguments = ["-f", "-c", "-e", "trace=fsync,fdatasync", "-o", output, "-p", &pid];
    let log = folder.path().join("log");
    let load = run(edge.ports().mqtt, logins, TRACED_S + 4, 2);
    let tracing = async {
        sleep(Duration::from_secs(2)).await;
        let mut strace = Process::start_other("/usr/bin/strace".as_ref(), arguments, &[], &log)?;
        sleep(Duration::from_secs(TRACED_S)).await;
        strace.signal(Signal::INT)?;
        strace.ended(Duration::from_secs(5)).await?;
        anyhow::Ok(())
    };
    let (loaded, traced) = tokio::join!(load, tracing);
    loaded.and(traced)?;
    let table = std::fs::read_to_string(&counted)?;
    let calls = table.lines().filter(|line| line.ends_with("sync")).filter_map(|line| {
        // % time, seconds, usecs/call, calls, errors, name
        line.split_whitespace().nth(3)?.parse::<u32>().ok()
    });
    Ok(f64::from(calls.sum::<u32>()) / float(TRACED_S))
}

fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
