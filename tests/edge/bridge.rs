//! Taps from an emulated scanner through the bridge into the agent's journal, while both programs are killed.

use anyhow::{Context as _, Result};
use edge_agent::journal::{BatchLimits, Journal, JournalConfig};
use edge_agent::ops::clock::Clock;
use edge_agent::registry::Registry;
use protocol::credential::StoredCredential;
use protocol::ids::{BranchId, DeviceId};
use protocol::sync::changes::{Change, Changes, DeviceRecord};
use protocol::sync::entry::{Body, DeviceKind, Event};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::Duration;
use tests::bridge::Bridge;
use tests::edge::Edge;
use tests::gym::qr_code;
use tests::mqtt::Login;
use tests::seed::Seed;
use tests::wait;
use uuid::Uuid;

const LIMIT: Duration = Duration::from_secs(20);
const SECRET: &str = "a-secret-of-the-bridge";

/// Tells the registry of an agent that does not run about a bridge with one reader, as the cloud would.
async fn assign_reader(state: &Path) -> Result<Login> {
    std::fs::create_dir_all(state)?;
    let bridge = DeviceId(Uuid::now_v7());
    let device = |id, code: &str, kind, secret, of| {
        let (name, topics, enabled) = (code.to_owned(), Vec::new(), true);
        let code = code.parse().expect("a code");
        let record = DeviceRecord {
            id,
            code,
            kind,
            name,
            secret_sha256: secret,
            bridge: of,
            topics,
            enabled,
        };
        Change::Device(record)
    };
    let secret = Some(Sha256::digest(SECRET).into());
    let changes = vec![
        device(bridge, "bridge-1", DeviceKind::Bridge, secret, None),
        device(DeviceId(Uuid::now_v7()), "door", DeviceKind::Reader, None, Some(bridge)),
    ];
    let branch = BranchId(Uuid::now_v7());
    let registry = Registry::open(state, &Clock::system()).await?.registry;
    registry.apply(Changes { branch, from: 0, to: 1, reset: true, more: false, changes }).await?;
    Ok(Login { user: "bridge-1".to_owned(), password: Some(SECRET.to_owned()) })
}

/// The codes of all taps in the journal of an agent that does not run, in order.
async fn journaled(state: &Path) -> Result<Vec<String>> {
    let (journal, _) = Journal::open(JournalConfig::new(state), Clock::system())?;
    let limits = BatchLimits { samples: 100_000, event_bytes: 4 << 20, entries: 1_000 };
    let mut codes = Vec::new();
    while let Some(batch) = journal.read_batch(limits).await? {
        for event in &batch.events {
            if let Body::Tap(tap) = Event::decode(&event.event)?.body
                && let StoredCredential::Qr { code } = tap.credential
            {
                codes.push(code);
            }
        }
        journal.acked(batch.epoch, batch.last_seq).await;
    }
    journal.close().await;
    Ok(codes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taps_are_journaled_once_and_in_order_whatever_is_killed() -> Result<()> {
    let mut seed = Seed::announced("bridge");
    let mut edge = Edge::new()?;
    let login = assign_reader(&edge.state()).await?;
    edge.start().await?;
    let mut bridge = Bridge::new(edge.ports().mqtt, &login, &["door"])?;
    bridge.start().await?;
    let mut scanned = Vec::new();

    for _ in 0..40 {
        let code = qr_code(&mut seed);
        bridge.scan("door", &code).await?;
        scanned.push(code);
        match seed.between(0, 7) {
            0 => {
                edge.kill().await?;
                edge.start().await?;
            }
            1 => both_die(&mut edge, &mut bridge, &mut seed, &mut scanned).await?,
            2 => {
                settled(&bridge, scanned.last()).await?;
                bridge.scanner("door")?.plug_back()?;
                bridge.scanner("door")?.opened().await?;
            }
            _ => {}
        }
    }
    settled(&bridge, scanned.last()).await?;

    edge.stop().await?;
    bridge.stop().await?;
    assert_eq!(journaled(&edge.state()).await?, scanned);
    Ok(())
}

/// The agent is gone, somebody taps, and the bridge dies too.
async fn both_die(
    edge: &mut Edge,
    bridge: &mut Bridge,
    seed: &mut Seed,
    scanned: &mut Vec<String>,
) -> Result<()> {
    settled(bridge, scanned.last()).await?;
    edge.kill().await?;
    let code = qr_code(seed);
    bridge.scan("door", &code).await?;
    scanned.push(code);
    wait::until_true("the tap is on the bridge's disk", LIMIT, || async {
        Ok(bridge.waiting()? > 0)
    })
    .await?;
    bridge.kill().await?;
    edge.start().await?;
    bridge.start().await
}

/// Waits until the scanner's last code has gone through the bridge. A scanner is not acked, so an empty queue
/// alone may mean that the code is still on the serial line.
async fn settled(bridge: &Bridge, last: Option<&String>) -> Result<()> {
    let last = last.context("nothing was scanned")?;
    wait::until_true("the last code was taken", LIMIT, || async { bridge.has_taken(last) }).await?;
    bridge.drained(LIMIT).await
}
