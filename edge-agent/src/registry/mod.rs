//! Which devices the branch has and what the cloud set for it: an in-memory copy for the front door over
//! `branch.db`, and the edge's identity. The cloud is the master; what is done at the branch is a proposal.

mod changes;
pub mod identity;
mod keys;
pub mod local;
mod roster;
mod snapshot;
pub mod staff;
mod store;
mod tables;
mod time;

use crate::access::Roster;
use crate::ops::clock::Clock;
use anyhow::{Context as _, Result};
use identity::{Enrolment, Identity, NextKey};
use protocol::ids::{Code, DeviceId};
use protocol::sync::entry::{DeviceKind, Notice};
use snapshot::Snapshot;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
pub use store::SCHEMA_VERSION;
use store::Store;
use tables::Progress;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// A machine, reader, bridge or observer of the branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Which device.
    pub id: DeviceId,
    /// Its short name, unique in the branch over all kinds.
    pub code: Code,
    /// What it is.
    pub kind: DeviceKind,
    /// Shown to people.
    pub name: String,
    /// SHA-256 of its secret; nobody can log in as it while there is none.
    pub secret_sha256: Option<[u8; 32]>,
    /// The bridge that may speak for it.
    pub bridge: Option<DeviceId>,
    /// For observers: topic filters it may read.
    pub topics: Vec<String>,
    /// May log in.
    pub enabled: bool,
}

/// Handle to the registry; clones share it.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    identity: Option<Identity>,
    snapshot: RwLock<Arc<Snapshot>>,
    roster: Roster,
    changed: watch::Sender<u64>,
    enrolment: watch::Sender<Option<Arc<Enrolled>>>,
    next_key: watch::Sender<Option<Arc<NextKey>>>,
    /// Hashes card numbers until the organization's key is known.
    own_credential_key: [u8; 32],
}

/// Key and enrolment of this edge.
#[derive(Debug)]
pub struct Enrolled {
    /// The edge's key.
    pub key: ed25519_dalek::SigningKey,
    /// What the cloud said.
    pub enrolment: Enrolment,
}

/// What opening the registry found.
#[derive(Debug)]
pub struct Opened {
    /// The registry.
    pub registry: Registry,
    /// What staff should know.
    pub notices: Vec<Notice>,
}

impl Registry {
    /// Opens the registry of a state folder. It always opens: what cannot be read is set aside and reported.
    pub async fn open(state_dir: &Path, clock: &Clock) -> Result<Opened> {
        let file = state_dir.join("branch.db");
        let (store, mut notices) = Store::open(Some(file), clock.clone())?;
        let identity = Identity::of(state_dir);
        let enrolled = identity.load().unwrap_or_else(|error| {
            tracing::error!(?error, "the enrolment cannot be used");
            let detail = format!("{error:#}");
            notices.push(Notice { code: "enrolment_unusable".to_owned(), detail });
            None
        });
        let enrolled = enrolled.map(|(key, enrolment)| Arc::new(Enrolled { key, enrolment }));
        let registry = Self::over(store, Some(identity), enrolled).await?;
        registry.recall_time(clock).await?;
        Ok(Opened { registry, notices })
    }

    /// An empty registry that is kept nowhere.
    pub async fn in_memory() -> Result<Self> {
        let nowhen = protocol::time::Stamp { boot: 0, mono_ms: 0, wall_ms: 0, synced: false };
        let (store, _) = Store::open(None, Clock::manual(nowhen))?;
        Self::over(store, None, None).await
    }

    async fn over(
        store: Store,
        identity: Option<Identity>,
        enrolled: Option<Arc<Enrolled>>,
    ) -> Result<Self> {
        let mut own_credential_key = [0; 32];
        getrandom::fill(&mut own_credential_key).context("the system has no random numbers")?;
        let next_key = identity.as_ref().and_then(Identity::next_key).map(Arc::new);
        let registry = Self(Arc::new(Shared {
            store,
            next_key: watch::Sender::new(next_key),
            identity,
            snapshot: RwLock::default(),
            roster: Roster::default(),
            changed: watch::Sender::new(0),
            enrolment: watch::Sender::new(enrolled),
            own_credential_key,
        }));
        registry.reload().await?;
        Ok(registry)
    }

    /// The device with this code.
    pub fn by_code(&self, code: &str) -> Option<Arc<Device>> {
        self.snapshot().by_code.get(code).cloned()
    }

    /// The device with this id.
    pub fn by_id(&self, id: DeviceId) -> Option<Arc<Device>> {
        self.snapshot().by_id.get(&id).cloned()
    }

    /// The devices that a bridge may speak for.
    pub fn assigned_to(&self, bridge: DeviceId) -> Vec<Arc<Device>> {
        self.snapshot().by_bridge.get(&bridge).cloned().unwrap_or_default()
    }

    /// Every device, by code.
    pub fn all(&self) -> Vec<Arc<Device>> {
        let mut devices: Vec<_> = self.snapshot().by_id.values().cloned().collect();
        devices.sort_by(|one, other| one.code.cmp(&other.code));
        devices
    }

    /// A setting of the branch, as JSON text.
    pub fn setting(&self, key: &str) -> Option<Zeroizing<String>> {
        self.snapshot().settings.get(key).cloned()
    }

    /// Counts up with every change of a device or setting.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// The key that card numbers are hashed with.
    pub fn credential_key(&self) -> [u8; 32] {
        let enrolled = self.enrolled();
        enrolled
            .and_then(|enrolled| enrolled.enrolment.credential_key())
            .unwrap_or(self.0.own_credential_key)
    }

    /// Key and enrolment, once there is one.
    pub fn enrolled(&self) -> Option<Arc<Enrolled>> {
        self.0.enrolment.borrow().clone()
    }

    /// Tells of enrolments as they come.
    pub fn enrolments(&self) -> watch::Receiver<Option<Arc<Enrolled>>> {
        self.0.enrolment.subscribe()
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads devices and settings anew and tells everybody.
    async fn reload(&self) -> Result<()> {
        let read = |db: &mut rusqlite::Connection| {
            let generation = Progress::read(db)?.generation;
            let devices = tables::devices(db, generation)?;
            Ok(Snapshot::new(
                devices,
                &tables::local_devices(db)?,
                tables::settings(db, generation)?,
            ))
        };
        let snapshot = Arc::new(self.0.store.call(read).await?);
        *self.0.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        self.0.changed.send_modify(|count| *count += 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
