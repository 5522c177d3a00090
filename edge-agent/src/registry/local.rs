//! What staff do to devices at the branch. It counts here at once; the cloud takes it over later.

use super::tables::{self, LocalDevice};
use super::{Device, Registry};
use anyhow::{Context as _, Result, bail};
use protocol::ids::{Code, DeviceId};
use protocol::sync::entry::{DeviceKind, DeviceProposal};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use uuid::Uuid;

/// A secret that is shown once, and what is to be journaled so that the cloud learns of it.
#[derive(Debug)]
pub struct NewCredential {
    /// The secret, as text for people and configuration files.
    pub secret: String,
    /// What the cloud is told: never the secret itself.
    pub proposal: DeviceProposal,
}

impl Registry {
    /// Adds a device that the cloud does not know yet.
    pub async fn add(&self, kind: DeviceKind, code: Code) -> Result<NewCredential> {
        if self.by_code(code.as_str()).is_some() {
            bail!("the branch already has a device with the code {code}");
        }
        let secret = new_secret()?;
        let local = LocalDevice {
            id: DeviceId(Uuid::now_v7()),
            code,
            kind,
            base_secret: None,
            secret: Some(digest(&secret)),
            is_revoked: false,
        };
        self.keep(local, secret).await
    }

    /// Gives a device a new secret; the old one is void at once.
    pub async fn rotate(&self, code: &str) -> Result<NewCredential> {
        let device = self.known(code)?;
        let secret = new_secret()?;
        let base_secret = self.cloud_secret(device.id).await?;
        let local = LocalDevice {
            id: device.id,
            code: device.code.clone(),
            kind: device.kind,
            base_secret,
            secret: Some(digest(&secret)),
            is_revoked: false,
        };
        self.keep(local, secret).await
    }

    /// Locks a device out until the cloud gives it a new secret.
    pub async fn revoke(&self, code: &str) -> Result<Arc<Device>> {
        let device = self.known(code)?;
        let base_secret = self.cloud_secret(device.id).await?;
        let local = LocalDevice {
            id: device.id,
            code: device.code.clone(),
            kind: device.kind,
            base_secret,
            secret: None,
            is_revoked: true,
        };
        self.0.store.call(move |db| tables::write_local(db, &local)).await?;
        self.reload().await?;
        Ok(device)
    }

    async fn keep(&self, local: LocalDevice, secret: String) -> Result<NewCredential> {
        let proposal = DeviceProposal {
            id: local.id,
            code: local.code.clone(),
            kind: local.kind,
            secret_sha256: digest(&secret),
        };
        self.0.store.call(move |db| tables::write_local(db, &local)).await?;
        self.reload().await?;
        Ok(NewCredential { secret, proposal })
    }

    fn known(&self, code: &str) -> Result<Arc<Device>> {
        self.by_code(code).with_context(|| format!("the branch has no device with the code {code}"))
    }

    /// The secret by the cloud's word, whatever was done at the branch since.
    async fn cloud_secret(&self, id: DeviceId) -> Result<Option<[u8; 32]>> {
        self.0
            .store
            .call(move |db| {
                let generation = tables::Progress::read(db)?.generation;
                let devices = tables::devices(db, generation)?;
                let device = devices.into_iter().find(|device| device.id == id);
                Ok(device.and_then(|device| device.secret_sha256))
            })
            .await
    }
}

fn new_secret() -> Result<String> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).context("the system has no random numbers")?;
    Ok(hex::encode(bytes))
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
