//! One device of each kind that works beside one that floods its line with noise, and one whose line is dead.

use crate::broker::{Broker, OK};
use crate::{agent, until};
use firmware_bridge::emulators::board::Board;
use firmware_bridge::emulators::board::bench::Deed;
use firmware_bridge::emulators::csafe::{Happening, Kind, Make, serve};
use firmware_bridge::emulators::pn532::{Card, Pn532, Timing};
use firmware_bridge::emulators::pty::Pty;
use firmware_bridge::emulators::scanner::{Scanner, Style};
use firmware_bridge::supervisor;
use protocol::credential::Credential;
use protocol::serial::board::device::Identity;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const CARD: [u8; 4] = [0xDE, 0xAD, 0xBE, 0xEF];

/// Of every kind one device at a port called after its code: well, noisy and dead ones.
fn devices(folder: &Path) -> Value {
    let of_kind = |kind: &str, keys: Value| -> Value {
        let device = |condition: &str| {
            let code = format!("{kind}-{condition}");
            let mut device = json!({ "code": code, "port": folder.join(&code) });
            device.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
            device
        };
        ["well", "noisy", "dead"].map(device).into()
    };
    json!({
        "agent": Value::Null,
        "queue": { "path": folder.join("queue") },
        "scanner": of_kind("scanner", json!({})),
        "nfc": of_kind("nfc", json!({})),
        "board": of_kind("board", json!({})),
        "csafe": of_kind("csafe", json!({ "quirks": "rower" })),
    })
}

/// Says everything that is no word of any device, as fast as the line takes it.
async fn flood(link: PathBuf) {
    let pty = Pty::plug_in(&link).unwrap();
    let noise: Vec<u8> =
        (0..4_096_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    loop {
        pty.opened().await;
        // The host may close the line in the middle of it.
        let _ = pty.write(&noise).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_and_silence_at_one_port_delay_no_other_device() {
    let folder = TempDir::new().unwrap();
    let port = |code: &str| folder.path().join(code);
    let broker = Broker::start(|_| OK).await;
    let mut around = JoinSet::new();
    for kind in ["scanner", "nfc", "board", "csafe"] {
        around.spawn(flood(port(&format!("{kind}-noisy"))));
    }
    let _dead = ["scanner", "nfc", "board", "csafe"]
        .map(|kind| Pty::plug_in(&port(&format!("{kind}-dead"))));
    let scanner = Scanner::plug_in(&port("scanner-well"), Style::default()).unwrap();
    let reader = Pn532::plug_in(&port("nfc-well"), Timing::real()).unwrap();
    let identity = Identity { code: "board-well".into(), firmware: "1".into(), boot: 5 };
    let board = Board::plug_in(&port("board-well"), identity).unwrap();
    let (happen, happenings) = mpsc::channel(1);
    let console = port("csafe-well");
    around.spawn(async move { serve(&console, Make::of(Kind::Rower), happenings).await.unwrap() });
    let mut keys = devices(folder.path());
    keys["agent"] = serde_json::to_value(agent(folder.path(), broker.port)).unwrap();
    let config = serde_json::from_value(keys).unwrap();
    let _bridge = supervisor::start(config, &CancellationToken::new()).unwrap();
    scanner.opened().await.unwrap();
    let idle = |topic: &str| {
        broker
            .retained(&format!("gymwire/v1/{topic}/status"))
            .is_some_and(|it| it["state"] == "idle")
    };
    until("the card reader is there", || idle("readers/nfc-well")).await;

    scanner.scan("G1code").await.unwrap();
    reader.present(Card::Plain(CARD.to_vec())).await.unwrap();
    board.act(Deed::Set { reps: 8 }).await;
    happen.send(Happening::Begin).await.unwrap();

    let has = |credential: &Credential| {
        broker.taps().iter().any(|(_, tap)| tap.credential == *credential)
    };
    let published = |topic: &str| {
        let log = broker.log.lock().unwrap();
        log.publishes.iter().any(|publish| publish.topic == format!("gymwire/v1/machines/{topic}"))
    };
    until("the scan", || has(&Credential::Qr { code: "G1code".into() })).await;
    until("the card", || has(&Credential::NfcUid { uid: CARD.to_vec() })).await;
    until("the set", || published("board-well/set")).await;
    until("a sample of the console", || published("csafe-well/telemetry")).await;
}
