//! From a card that is held to a reader, a PN532 in real time, to its tap at a subscriber. The broker is mosquitto, which
//! passes on at once, so that what the agent does is not in it.

use super::mosquitto::Mosquitto;
use super::table::Row;
use crate::bridge::Bridge;
use crate::mqtt::{Connection, Login, Received};
use crate::seed::Seed;
use crate::times::Times;
use anyhow::{Context as _, Result, ensure};
use firmware_bridge::emulators::pn532::{
    Card, Model, Ntag, Ntag424, Phone, Pn532, SunKeys, Timing,
};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Of each kind.
const PRESENTATIONS: u32 = 100;
const LIMIT: Duration = Duration::from_millis(150);
/// Between two cards, and as much again at random: a reader finds a card in all phases of its polling.
const GAP: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(10);
const SITE: u16 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Uid,
    Sun,
    Phone,
}

const KINDS: [Kind; 3] = [Kind::Uid, Kind::Sun, Kind::Phone];

/// Cards and phones, each kind at a reader of its own, at the same time.
pub async fn measure() -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let broker = Mosquitto::start(folder.path()).await?;
    let ports = tempfile::tempdir()?;
    let readers = KINDS
        .iter()
        .map(|kind| Ok(Pn532::plug_in(&port(&ports, *kind), Timing::real())?))
        .collect::<Result<Vec<_>>>()?;
    let mut bridge = Bridge::new(broker.address, &login("bridge-1"), &[])?;
    let tables = KINDS.iter().map(|kind| {
        format!(
            "[[nfc]]\ncode = \"{}\"\nport = \"{}\"\n",
            kind.code(),
            port(&ports, *kind).display()
        )
    });
    bridge.configure(&tables.collect::<String>())?;
    bridge.start().await?;
    let mut measuring = JoinSet::new();
    for (kind, reader) in KINDS.into_iter().zip(readers) {
        let address = broker.address;
        measuring.spawn(async move {
            Ok::<_, anyhow::Error>((kind, times(kind, reader, address).await?))
        });
    }
    let mut rows = Vec::new();
    while let Some(measured) = measuring.join_next().await {
        let (kind, times) = measured??;
        rows.push((kind as u8, Row::p99(kind.what(), &times, LIMIT)));
    }
    bridge.stop().await?;
    broker.stop().await?;
    rows.sort_by_key(|(place, _)| *place);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

async fn times(kind: Kind, reader: Pn532, broker: SocketAddr) -> Result<Times> {
    let mut line = Connection::open(broker, &login(kind.code())).await?;
    line.subscribe(&kind.topic("+")).await?;
    let mut seed = Seed::new(1).part(kind as u64);
    let mut times = Times::new();
    ready(kind, &mut line).await?;
    for number in 0..PRESENTATIONS {
        sleep(GAP + GAP.mul_f64(seed.unit())).await;
        let shown = reader.present(kind.card(number)?).await?;
        let tap = tap(kind, &mut line).await?;
        times.record(shown.at.elapsed());
        ensure!(tap["credential"]["kind"] == kind.name(), "not a {}: {tap}", kind.name());
        reader.clear().await?;
    }
    line.close().await?;
    Ok(times)
}

/// Waits until the bridge says that the reader works.
async fn ready(kind: Kind, line: &mut Connection) -> Result<()> {
    loop {
        let told = next(line).await.context("the reader does not come up")?;
        if told.topic == kind.topic("status") && parsed(&told)?["state"] == "idle" {
            return Ok(());
        }
    }
}

/// Waits for the tap; gives a nonce when a phone needs one, in place of the agent.
async fn tap(kind: Kind, line: &mut Connection) -> Result<Value> {
    loop {
        let told = next(line).await.with_context(|| format!("no tap of a {}", kind.name()))?;
        let said = parsed(&told)?;
        if told.topic == kind.topic("tap") {
            return Ok(said);
        }
        let is_question = told.topic == kind.topic("challenge") && said["nonce"].is_null();
        if is_question {
            let nonce = hex::encode(uuid::Uuid::new_v4().as_bytes());
            let answer = json!({
                "request_id": said["request_id"], "nonce": nonce, "valid_ms": 3_000, "site_no": SITE,
            });
            line.queue(&told.topic, answer.to_string().as_bytes(), 0, false);
            line.flush().await?;
        }
    }
}

async fn next(line: &mut Connection) -> Result<Received> {
    timeout(PATIENCE, line.receive()).await.context("nothing is said any more")?
}

fn parsed(told: &Received) -> Result<Value> {
    Ok(serde_json::from_slice(&told.payload)?)
}

fn login(user: &str) -> Login {
    Login { user: user.to_owned(), password: Some("any".to_owned()) }
}

fn port(folder: &TempDir, kind: Kind) -> std::path::PathBuf {
    folder.path().join(kind.code())
}

impl Kind {
    fn code(self) -> &'static str {
        match self {
            Self::Uid => "door-uid",
            Self::Sun => "door-sun",
            Self::Phone => "door-phone",
        }
    }

    /// As taps call it.
    fn name(self) -> &'static str {
        match self {
            Self::Uid => "nfc_uid",
            Self::Sun => "sun",
            Self::Phone => "hce",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Uid => "card presented to tap published, p99: number",
            Self::Sun => "  card with an encrypted message (NTAG 424)",
            Self::Phone => "  phone that signs a nonce",
        }
    }

    fn topic(self, leaf: &str) -> String {
        format!("gymwire/v1/readers/{}/{leaf}", self.code())
    }

    fn card(self, number: u32) -> Result<Card> {
        let [_, a, b, c] = number.to_be_bytes();
        let uid = [0x04, 0x10, 0x20, 0x30, a, b, c];
        Ok(match self {
            Self::Uid => {
                Card::Ntag(Ntag::new(Model::Ntag215, uid, b"\xD1\x01\x0CU\x04example.org"))
            }
            Self::Sun => {
                let keys = SunKeys { meta: [1; 16], file: [2; 16] };
                Card::Ntag424(Ntag424::new(uid, keys, "https://gym.example/t", 41))
            }
            Self::Phone => {
                let phone = Phone::new(u64::from(number) + 1, &[9; 32]);
                Card::Phone(phone.context("not a key")?)
            }
        })
    }
}
