//! What staff do to devices at the branch. It counts here at once; the cloud takes it over later.

use super::tables::{self, LocalDevice};
use super::{Device, Registry};
use anyhow::{Context as _, Result, bail};
use protocol::ids::{Code, DeviceId};
use protocol::sync::entry::{Body, DeviceKind, DeviceProposal, DeviceSecret};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use uuid::Uuid;

/// A secret that is shown once, and what is to be journaled so that the cloud learns of it. It counts once it
/// is [kept](Registry::keep).
#[derive(Debug)]
pub struct NewCredential {
    /// Which device.
    pub id: DeviceId,
    /// Its short name.
    pub code: Code,
    /// The secret, as text for people and configuration files.
    pub secret: String,
    /// What the cloud is told: never the secret itself.
    pub told: Body,
    local: LocalDevice,
}

impl Registry {
    /// Prepares a device that the cloud does not know yet.
    pub fn prepare_device(&self, kind: DeviceKind, code: Code) -> Result<NewCredential> {
        if self.by_code(code.as_str()).is_some() {
            bail!("the branch already has a device with the code {code}");
        }
        let secret = new_secret()?;
        let id = DeviceId(Uuid::now_v7());
        let secret_sha256 = digest(&secret);
        let told =
            Body::DeviceProposed(DeviceProposal { id, code: code.clone(), kind, secret_sha256 });
        let local = LocalDevice {
            id,
            code: code.clone(),
            kind,
            base_secret: None,
            secret: Some(secret_sha256),
            is_revoked: false,
            passed: Vec::new(),
        };
        Ok(NewCredential { id, code, secret, told, local })
    }

    /// Prepares a new secret for a device; the old one is void when it is kept.
    pub async fn prepare_secret(&self, code: &str) -> Result<NewCredential> {
        let device = self.known(code)?;
        let secret = new_secret()?;
        let (local, told) = self.changed_secret(&device, Some(digest(&secret))).await?;
        Ok(NewCredential { id: device.id, code: device.code.clone(), secret, told, local })
    }

    /// From now on it counts.
    pub async fn keep(&self, new: &NewCredential) -> Result<()> {
        self.keep_local(new.local.clone()).await
    }

    /// Locks a device out until it is given a new secret. Gives what the cloud is to be told.
    pub async fn revoke(&self, code: &str) -> Result<(Arc<Device>, Body)> {
        let device = self.known(code)?;
        let (local, told) = self.changed_secret(&device, None).await?;
        self.keep_local(local).await?;
        Ok((device, told))
    }

    async fn changed_secret(
        &self,
        device: &Device,
        secret: Option<[u8; 32]>,
    ) -> Result<(LocalDevice, Body)> {
        let (base_secret, passed) = self.secrets_before(device.id).await?;
        let local = LocalDevice {
            id: device.id,
            code: device.code.clone(),
            kind: device.kind,
            base_secret,
            secret,
            is_revoked: secret.is_none(),
            passed,
        };
        let told = DeviceSecret {
            id: device.id,
            former_sha256: device.secret_sha256,
            secret_sha256: secret,
        };
        Ok((local, Body::DeviceSecret(told)))
    }

    async fn keep_local(&self, local: LocalDevice) -> Result<()> {
        self.0.store.call(move |db| tables::write_local(db, &local)).await?;
        self.reload().await
    }

    fn known(&self, code: &str) -> Result<Arc<Device>> {
        self.by_code(code).with_context(|| format!("the branch has no device with the code {code}"))
    }

    /// The secret by the cloud's word, and those that were given here since and it has perhaps not heard of yet.
    async fn secrets_before(
        &self,
        id: DeviceId,
    ) -> Result<(Option<[u8; 32]>, Vec<Option<[u8; 32]>>)> {
        self.0
            .store
            .call(move |db| {
                let generation = tables::Progress::read(db)?.generation;
                let devices = tables::devices(db, generation)?;
                let device = devices.into_iter().find(|device| device.id == id);
                let cloud = device.and_then(|device| device.secret_sha256);
                let local = tables::local_devices(db)?.into_iter().find(|local| local.id == id);
                let passed = local.map_or_else(Vec::new, |mut local| {
                    local.passed.push(local.secret);
                    let most = local.passed.len().saturating_sub(MOST_PASSED);
                    local.passed.split_off(most)
                });
                Ok((cloud, passed))
            })
            .await
    }
}

/// Who changes a secret more often than this before the cloud has heard of it waits for the cloud.
const MOST_PASSED: usize = 64;

fn new_secret() -> Result<String> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).context("the system has no random numbers")?;
    Ok(hex::encode(bytes))
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
