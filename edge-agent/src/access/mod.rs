//! May they come in? A credential is proven when its tap arrives, on the connection's task; what it opens is decided
//! on the journal's thread, in the commit that keeps the tap; the reader is told after it. Nothing here asks the cloud.

mod check;
mod enrol;
mod holder;
mod judge;
mod nonces;
mod policy;
mod proof;
mod remember;
mod roster;
mod roster_cards;

use crate::floor::Picture;
use crate::journal::Journal;
use crate::ops::clock::Clock;
use crate::registry::Registry;
use anyhow::{Context as _, Result};
use bytes::Bytes;
use judge::Judge;
use nonces::{Nonces, VALID_MS};
use policy::Policies;
use protocol::access::{BranchSettings, LocalTime};
use protocol::ids::DeviceId;
use protocol::mqtt::payloads::Challenge;
use std::sync::Arc;
use tokio::sync::watch;

pub use policy::Policy;
pub use proof::Proof;
pub use roster::{Phone, Roster, View};
pub use roster_cards::Held;

/// What decisions are made with; clones share it.
#[derive(Clone)]
pub struct Access {
    registry: Registry,
    clock: Clock,
    policies: Policies,
    nonces: Nonces,
    pictures: watch::Sender<Arc<Picture>>,
}

/// A nonce for a phone, as its reader is told.
pub struct GivenNonce {
    /// The answer to the reader's question.
    pub payload: Bytes,
    /// Monotonic milliseconds after which it is not worth telling.
    pub until_mono_ms: u64,
}

impl Access {
    /// Over the registry's roster and settings.
    pub fn new(registry: Registry, clock: Clock) -> Self {
        let policies = Policies::new(registry.clone());
        Self {
            registry,
            clock,
            policies,
            nonces: Nonces::default(),
            pictures: watch::Sender::default(),
        }
    }

    /// What holds on the floor, as it is on disk.
    pub fn pictures(&self) -> watch::Receiver<Arc<Picture>> {
        self.pictures.subscribe()
    }

    /// What staff have set.
    pub fn policy(&self) -> Arc<Policy> {
        self.policies.current()
    }

    /// Loads the roster and has the journal's taps decided from now on.
    pub async fn decide_in(&self, journal: &Journal) -> Result<()> {
        if let Err(error) = self.registry.load_roster().await {
            tracing::error!(
                ?error,
                "the roster cannot be read: doors stay closed until the cloud tells it anew"
            );
        }
        let used = self.registry.card_counters().await.unwrap_or_else(|error| {
            tracing::error!(?error, "the second memory of used cards cannot be read");
            Vec::new()
        });
        let judge = Judge::new(self.clone());
        journal.decide_with(Box::new(judge), used).await.context("nobody decides about taps")
    }

    /// The branch's settings as they hold now.
    pub fn settings(&self) -> BranchSettings {
        self.policies.current().settings.clone()
    }

    /// The branch's time zone.
    pub fn zone(&self) -> LocalTime {
        self.policies.current().settings.zone.clone()
    }

    /// A nonce for the phone that a reader has before it.
    pub fn nonce(&self, reader: DeviceId, request_id: String) -> Result<GivenNonce> {
        let mono_ms = self.clock.mono_ms();
        let nonce = Some(self.nonces.draw(reader, mono_ms)?);
        let site_no = Some(self.policies.current().site_no);
        let given = Challenge { request_id, nonce, valid_ms: Some(VALID_MS), site_no };
        let payload = serde_json::to_vec(&given)?.into();
        Ok(GivenNonce { payload, until_mono_ms: mono_ms + u64::from(VALID_MS) })
    }
}

#[cfg(test)]
mod tests;
