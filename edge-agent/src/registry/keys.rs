//! The edge's own key and the one that is to take its place. The files are the truth: whatever is told here is on disk.

use super::identity::NextKey;
use super::{Enrolled, Registry};
use anyhow::{Context as _, Result};
use ed25519_dalek::SigningKey;
use std::sync::Arc;
use tokio::sync::watch;

/// What an edge may prove itself by.
#[derive(Debug, Clone)]
pub struct ProvingKeys {
    /// To be tried first.
    pub first: SigningKey,
    /// To be tried if the cloud does not know the first.
    pub other: Option<SigningKey>,
}

impl Registry {
    /// Orders a new key for this edge. The uplink does the rest, now or when the cloud is reached.
    pub fn order_new_key(&self) -> Result<()> {
        self.enrolled().context("the edge is not enrolled: it has no key yet")?;
        let next = self.identity()?.draw_next_key()?;
        self.0.next_key.send_replace(Some(Arc::new(next)));
        Ok(())
    }

    /// Tells of keys that are to take the place of the present one.
    pub fn next_keys(&self) -> watch::Receiver<Option<Arc<NextKey>>> {
        self.0.next_key.subscribe()
    }

    /// The keys by which the cloud may know this edge. One that it was told of is used from then on.
    pub fn proving_keys(&self) -> Option<ProvingKeys> {
        let present = self.enrolled()?.key.clone();
        let next = self.0.next_key.borrow().clone();
        Some(match next {
            None => ProvingKeys { first: present, other: None },
            Some(next) if next.is_announced => {
                ProvingKeys { first: next.key.clone(), other: Some(present) }
            }
            // Its announcement may have arrived, and even its first use, in a life that ended then.
            Some(next) => ProvingKeys { first: present, other: Some(next.key.clone()) },
        })
    }

    /// The cloud has accepted `used`, after it refused the first of the two keys if `is_other`. What that says of them
    /// is kept.
    pub fn proven_by(&self, used: &SigningKey, is_other: bool) -> Result<()> {
        let Some(next) = self.0.next_key.borrow().clone() else { return Ok(()) };
        if next.key.verifying_key() == used.verifying_key() {
            return self.adopt(&next);
        }
        if is_other && next.is_announced {
            tracing::warn!("the cloud has forgotten the announced key: it is announced again");
            return self.key_announced(&next, false);
        }
        Ok(())
    }

    /// The cloud knows of this key now, or not any more.
    pub fn key_announced(&self, next: &NextKey, is_announced: bool) -> Result<()> {
        if next.is_announced != is_announced {
            self.identity()?.set_announced(is_announced)?;
        }
        let key = next.key.clone();
        self.0.next_key.send_replace(Some(Arc::new(NextKey { key, is_announced })));
        Ok(())
    }

    /// The next key is the key.
    fn adopt(&self, next: &NextKey) -> Result<()> {
        let enrolled = self.enrolled().context("the edge is not enrolled")?;
        let mut enrolment = enrolled.enrolment.clone();
        enrolment.public_key = hex::encode(next.key.verifying_key().as_bytes());
        self.identity()?.store(&enrolment)?;
        self.0.next_key.send_replace(None);
        let key = next.key.clone();
        self.0.enrolment.send_replace(Some(Arc::new(Enrolled { key, enrolment })));
        tracing::info!("the edge has a new key");
        Ok(())
    }
}
