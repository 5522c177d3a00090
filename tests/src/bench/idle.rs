//! What a bridge costs while nothing happens: a reader, a scanner, a console and a board are plugged in.

use super::mosquitto::Mosquitto;
use super::table::Row;
use crate::bridge::Bridge;
use crate::mqtt::{Connection, Login};
use anyhow::{Context as _, Result};
use firmware_bridge::emulators::board::Board;
use firmware_bridge::emulators::csafe::{self, Kind, Make};
use firmware_bridge::emulators::pn532::{Pn532, Timing};
use protocol::serial::board::device::Identity;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Each with a status of its own, besides the bridge's.
const DEVICES: [&str; 4] = ["door-1", "door-1-nfc", "bike-1", "press-1"];
/// All devices are there by then.
const PATIENCE: Duration = Duration::from_secs(20);
const WATCHED: Duration = Duration::from_mins(1);
const CPU_LIMIT: f64 = 1.0;
const MEMORY_LIMIT_MB: f64 = 15.0;

/// A minute of nothing.
pub async fn measure() -> Result<Vec<Row>> {
    let (folder, ports) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let broker = Mosquitto::start(folder.path()).await?;
    let port = |name: &str| ports.path().join(name);
    let _reader = Pn532::plug_in(&port("nfc"), Timing::real())?;
    let identity = Identity { code: "press-1".into(), firmware: "1.2.3".into(), boot: 99 };
    let _board = Board::plug_in(&port("board"), identity)?;
    let (_happen, happenings) = mpsc::channel(1);
    let mut consoles = JoinSet::new();
    let console = port("console");
    consoles.spawn(async move { csafe::serve(&console, Make::of(Kind::Bike), happenings).await });
    let mut bridge = Bridge::new(broker.address, &login("bridge-1"), &["door-1"])?;
    bridge.configure(&devices(ports.path()))?;
    bridge.start().await?;
    all_there(broker.address).await?;

    let process = bridge.process()?;
    let (before, begun) = (process.cpu_time()?, Instant::now());
    sleep(WATCHED).await;
    let used = process.cpu_time()?.saturating_sub(before);
    let share = 100.0 * used.as_secs_f64() / begun.elapsed().as_secs_f64();
    let rss_mb = f64::from(u32::try_from(process.rss_bytes()? / 1_000)?) / 1_000.0;
    bridge.stop().await?;
    broker.stop().await?;
    Ok(vec![
        Row::judged(
            "idle bridge with four devices, of a core",
            format!("{share:.2} %"),
            format!("at most {CPU_LIMIT} %: a PN532, a scanner, a CSAFE console, a board"),
            share <= CPU_LIMIT,
        ),
        Row::judged(
            "  its memory",
            format!("{rss_mb:.1} MB"),
            format!("at most {MEMORY_LIMIT_MB} MB"),
            rss_mb <= MEMORY_LIMIT_MB,
        ),
    ])
}

fn devices(ports: &Path) -> String {
    let table = |kind: &str, code: &str, port: &str| {
        let port = ports.join(port);
        format!("[[{kind}]]\ncode = \"{code}\"\nport = \"{}\"\n", port.display())
    };
    let quirks = "quirks = \"bike\"\n";
    let console = table("csafe", "bike-1", "console") + quirks;
    table("nfc", "door-1-nfc", "nfc") + &console + &table("board", "press-1", "board")
}

/// Waits until each device is said to work.
async fn all_there(broker: SocketAddr) -> Result<()> {
    let mut line = Connection::open(broker, &login("observer")).await?;
    line.subscribe("gymwire/v1/+/+/status").await?;
    let mut missing = BTreeSet::from(DEVICES);
    let seen = async {
        while !missing.is_empty() {
            let told = line.receive().await?;
            let status: serde_json::Value = serde_json::from_slice(&told.payload)?;
            if status["state"] == "idle" {
                missing.retain(|code| told.topic.split('/').nth(3) != Some(code));
            }
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, seen).await.context("not every device came up")??;
    line.close().await
}

fn login(user: &str) -> Login {
    Login { user: user.to_owned(), password: Some("any".to_owned()) }
}
