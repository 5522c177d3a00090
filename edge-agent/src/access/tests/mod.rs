//! Decisions over a real journal and registry: once, in the tap's commit, and remembered.

mod cards;
mod floor;
mod replays;
mod rules;
mod staff;

use super::{Access, GivenNonce};
use crate::journal::{Answer, Committed, Journal, JournalConfig, Received, What};
use crate::ops::clock::Clock;
use crate::registry::Registry;
use crate::registry::identity::Enrolment;
use cards::{CREDENTIAL_KEY, SITE_NO};
use ed25519_dalek::SigningKey;
use protocol::credential::Credential;
use protocol::ids::{BranchId, DeviceId, TapId};
use protocol::mqtt::payloads::Challenge;
use protocol::sync::changes::{Change, Changes, DeviceRecord};
use protocol::sync::entry::{Body, Decision, DeviceKind, Source, Tap};
use protocol::time::Stamp;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use uuid::Uuid;

const DOOR: DeviceId = DeviceId(Uuid::from_u128(1));
const GATE: DeviceId = DeviceId(Uuid::from_u128(2));
const NOON_S: u32 = 1_795_176_000;

/// An agent's inside without its door.
struct Branch {
    registry: Registry,
    access: Access,
    journal: Journal,
    clock: Clock,
    events: broadcast::Receiver<Arc<Committed>>,
    version: u64,
}

impl Branch {
    /// In a new folder: enrolled, two readers, one member.
    async fn founded(folder: &Path) -> Self {
        let clock = noon();
        let registry = Registry::open(folder, &clock).await.unwrap().registry;
        let key = registry.draw_key().unwrap();
        registry.enrol(key.clone(), enrolment(&key)).await.unwrap();
        drop(registry);
        let mut branch = Self::started(folder, clock).await;
        let mut changes = cards::roster(&CREDENTIAL_KEY);
        changes.extend([reader(DOOR, "door"), reader(GATE, "gate")]);
        changes.push(setting("sun_keys", cards::SUN_KEYS));
        branch.change(changes).await;
        branch
    }

    /// A start of the agent on a folder that is there.
    async fn started(folder: &Path, clock: Clock) -> Self {
        Self::journaling_in(folder, folder, clock).await
    }

    async fn journaling_in(journal: &Path, folder: &Path, clock: Clock) -> Self {
        let registry = Registry::open(folder, &clock).await.unwrap().registry;
        let mut config = JournalConfig::new(journal);
        config.limits.min_free_bytes = 0;
        config.check_after = None;
        let (journal, _) = Journal::open(config, clock.clone()).unwrap();
        let access = Access::new(registry.clone(), clock.clone());
        access.decide_in(&journal).await.unwrap();
        let (events, version) = (journal.events(), registry.ask_from().await.unwrap());
        Self { registry, access, journal, clock, events, version }
    }

    async fn change(&mut self, changes: Vec<Change>) {
        let (from, to, branch) = (self.version, self.version + 1, BranchId(Uuid::from_u128(3)));
        let changes = Changes { branch, from, to, reset: from == 0, more: false, changes };
        self.registry.apply(changes).await.unwrap();
        self.version = to;
    }

    fn later(&self, ms: u64) {
        let mut stamp = self.clock.stamp();
        stamp.mono_ms += ms;
        stamp.wall_ms += ms.cast_signed();
        self.clock.set(stamp);
    }

    fn received(
        &self,
        reader: DeviceId,
        id: u128,
        credential: &Credential,
        age_ms: u32,
    ) -> Received {
        let proof = Box::new(self.access.prove(reader, credential));
        let credential = credential.stored(&self.registry.credential_key());
        let tap = Tap { tap_id: TapId(Uuid::from_u128(id)), credential, age_ms };
        let what = What::Event(Body::Tap(tap));
        Received { proof: Some(proof), ..Received::new(Source::Device(reader), what) }
    }

    /// A tap, and what was decided about it in its commit.
    async fn tap(&mut self, reader: DeviceId, id: u128, credential: &Credential) -> Decision {
        self.journal.submit(vec![self.received(reader, id, credential, 0)]).await.unwrap();
        self.decided().await.0
    }

    async fn decided(&mut self) -> (Decision, Option<Answer>) {
        let next = async {
            loop {
                let commit = self.events.recv().await.unwrap();
                if let Some(decided) = decisions(&commit).pop() {
                    return decided;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), next).await.expect("a decision")
    }

    fn nonce(&self, reader: DeviceId) -> [u8; 16] {
        let GivenNonce { payload, .. } = self.access.nonce(reader, "1".to_owned()).unwrap();
        let given: Challenge = serde_json::from_slice(&payload).unwrap();
        assert_eq!(given.site_no, Some(SITE_NO));
        given.nonce.unwrap()
    }
}

fn decisions(commit: &Committed) -> Vec<(Decision, Option<Answer>)> {
    let decision = |item: &crate::journal::Item| match &item.what {
        What::Event(Body::Decision(decision)) => Some((decision.clone(), item.answer.clone())),
        _ => None,
    };
    commit.items.iter().filter_map(decision).collect()
}

fn noon() -> Clock {
    let wall_ms = i64::from(NOON_S) * 1_000;
    Clock::manual(Stamp { boot: 7, mono_ms: 60_000, wall_ms, synced: true })
}

fn code(iat_s: u32, nonce: u32) -> Credential {
    cards::code(&cards::cloud_key(), 1, iat_s, nonce)
}

fn plain() -> Credential {
    Credential::NfcUid { uid: cards::PLAIN_UID.into() }
}

fn setting(key: &str, value: &str) -> Change {
    Change::Setting { key: key.to_owned(), value: value.to_owned() }
}

fn reader(id: DeviceId, code: &str) -> Change {
    Change::Device(DeviceRecord {
        id,
        code: code.parse().unwrap(),
        kind: DeviceKind::Reader,
        name: code.to_owned(),
        secret_sha256: None,
        bridge: None,
        topics: Vec::new(),
        enabled: true,
    })
}

fn enrolment(key: &SigningKey) -> Enrolment {
    Enrolment {
        cloud_url: "https://cloud.example".to_owned(),
        public_key: hex::encode(key.verifying_key().as_bytes()),
        answer: cards::enrolled(),
    }
}
