//! A door with a roster of any size, and how long its decisions take.

use crate::edge::Edge;
use crate::mqtt::{Connection, Login};
use crate::times::Times;
use anyhow::{Context as _, Result, ensure};
use edge_agent::ops::clock::Clock;
use edge_agent::registry::Registry;
use edge_agent::registry::identity::Enrolment;
use protocol::credential::{Credential, uid_hash};
use protocol::ids::{BranchId, CredentialId, DeviceId, EdgeId, MemberId, OrganizationId, TapId};
use protocol::mqtt::payloads::{DecisionMessage, DecisionOutcome, tap_json};
use protocol::sync::changes::{Change, Changes, DeviceRecord};
use protocol::sync::enroll::EnrollAnswer;
use protocol::sync::entry::DeviceKind;
use protocol::sync::roster::{CredentialKind, CredentialRecord, Member, Membership, RosterItem};
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

const CREDENTIAL_KEY: [u8; 32] = [5; 32];
/// A page of changes, as the cloud would cut it.
const PAGE: usize = 8_000;
const DECISION_LIMIT: Duration = Duration::from_secs(10);

/// Makes an agent that does not run know this many members with a card each, and one reader; the reader's login.
pub async fn furnish(edge: &Edge, reader: &str, members: u32) -> Result<Login> {
    std::fs::create_dir_all(edge.state())?;
    let registry = Registry::open(&edge.state(), &Clock::system()).await?.registry;
    let key = registry.draw_key()?;
    let enrolment = Enrolment {
        cloud_url: "http://127.0.0.1:9".to_owned(),
        public_key: hex::encode(key.verifying_key().as_bytes()),
        answer: enrolled(),
    };
    registry.enrol(key, enrolment).await?;
    let secret = Uuid::now_v7().to_string();
    let mut changes = vec![Change::Device(record(reader, &secret)?)];
    changes.extend((0..members).flat_map(member));
    apply(&registry, changes).await?;
    Ok(Login { user: reader.to_owned(), password: Some(secret) })
}

/// Applies changes as a snapshot in pages, as the uplink does; how long that took.
pub async fn apply(registry: &Registry, changes: Vec<Change>) -> Result<Duration> {
    let branch = enrolled().branch_id;
    let begun = Instant::now();
    let pages = changes.len().div_ceil(PAGE) as u64;
    for (from, page) in (0..).zip(changes.chunks(PAGE)) {
        let (to, reset, more) = (from + 1, from == 0, from + 1 < pages);
        let changes = page.to_vec();
        registry.apply(Changes { branch, from, to, reset, more, changes }).await?;
    }
    Ok(begun.elapsed())
}

/// Presents the cards of members one after the other; from the publish to the decision at the reader.
pub async fn time_taps(
    mqtt: SocketAddr,
    login: &Login,
    members: u32,
    taps: u32,
    pause: Duration,
) -> Result<Times> {
    let mut connection = Connection::open(mqtt, login).await?;
    let topic = |leaf: &str| format!("gymwire/v1/readers/{}/{leaf}", login.user);
    let (tap, decision) = (topic("tap"), topic("decision"));
    connection.subscribe(&decision).await?;
    let mut times = Times::new();
    for number in 0..taps {
        let tap_id = TapId(Uuid::now_v7());
        let credential = Credential::NfcUid { uid: card(number % members) };
        let begun = Instant::now();
        connection.queue(&tap, &tap_json(tap_id, &credential, 0), number.into(), false);
        connection.flush().await?;
        let told = timeout(DECISION_LIMIT, connection.receive()).await.context("no decision")??;
        times.record(begun.elapsed());
        let told: DecisionMessage = serde_json::from_slice(&told.payload)?;
        ensure!(told.tap_id == tap_id, "a decision about another tap");
        ensure!(told.outcome == DecisionOutcome::Granted, "denied: {}", told.reason);
        tokio::time::sleep(pause).await;
    }
    connection.close().await?;
    Ok(times)
}

/// The number of a member's card.
pub fn card(number: u32) -> Vec<u8> {
    let [a, b, c, d] = number.to_be_bytes();
    vec![4, 1, 2, a, b, c, d]
}

/// A member and their card, as the cloud tells.
pub fn member(number: u32) -> [Change; 2] {
    let id = |kind: u128| Uuid::from_u128((0x0190 << 112) + (kind << 64) + u128::from(number));
    let membership = Membership {
        here: true,
        valid_from_ms: 0,
        valid_until_ms: None,
        frozen: false,
        windows: Vec::new(),
    };
    let member = Member {
        id: MemberId(id(1)),
        member_no: u64::from(number) + 1,
        display_name: format!("Member {number}"),
        blocked: None,
        memberships: vec![membership],
    };
    let record = CredentialRecord {
        id: CredentialId(id(2)),
        member: member.id,
        kind: CredentialKind::NfcUid { uid_hash: uid_hash(&CREDENTIAL_KEY, &card(number)) },
        enabled: true,
    };
    [RosterItem::Member(member).change(), RosterItem::Credential(record).change()]
}

fn record(code: &str, secret: &str) -> Result<DeviceRecord> {
    Ok(DeviceRecord {
        id: DeviceId(Uuid::now_v7()),
        code: code.parse()?,
        kind: DeviceKind::Reader,
        name: code.to_owned(),
        secret_sha256: Some(Sha256::digest(secret).into()),
        bridge: None,
        topics: Vec::new(),
        enabled: true,
    })
}

fn enrolled() -> EnrollAnswer {
    EnrollAnswer {
        edge_id: EdgeId(Uuid::from_u128(1)),
        organization_id: OrganizationId(Uuid::from_u128(2)),
        branch_id: BranchId(Uuid::from_u128(3)),
        branch_name: "Nordend".to_owned(),
        site_no: 7,
        cloud_keys: Vec::new(),
        credential_key: hex::encode(CREDENTIAL_KEY),
        now_ms: 0,
    }
}
