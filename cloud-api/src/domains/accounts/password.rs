//! Passwords: argon2id, a few at a time and off the async threads, so that logins cannot stall the service.

use crate::config::Auth;
use anyhow::{Context, anyhow};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Hashes and verifies.
#[derive(Debug, Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    slots: Arc<Semaphore>,
    /// Verified in place of the hash of a user that does not exist, to take the same time.
    decoy: Arc<str>,
}

impl Passwords {
    pub fn new(config: &Auth) -> anyhow::Result<Self> {
        let params = Params::new(config.hash_memory_kib, config.hash_passes, 1, None)
            .map_err(|error| anyhow!("auth.hash_memory_kib, auth.hash_passes: {error}"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = hash(&argon2, "no password")?;
        Ok(Self {
            argon2,
            slots: Arc::new(Semaphore::new(config.hash_concurrency)),
            decoy: decoy.into(),
        })
    }

    /// A PHC string for the database.
    pub async fn hash(&self, password: String) -> anyhow::Result<String> {
        let _slot = self.slots.acquire().await?;
        let argon2 = self.argon2.clone();
        spawn_blocking(move || hash(&argon2, &password)).await?
    }

    /// Whether the password is the one that was hashed. Without a hash: no, in the same time.
    pub async fn verify(&self, password: String, known: Option<String>) -> anyhow::Result<bool> {
        let _slot = self.slots.acquire().await?;
        let argon2 = self.argon2.clone();
        let decoy = Arc::clone(&self.decoy);
        spawn_blocking(move || {
            let exists = known.is_some();
            let text = known.as_deref().unwrap_or(&decoy);
            let hash = PasswordHash::new(text).map_err(|error| anyhow!("{error}"))?;
            let is_same = argon2.verify_password(password.as_bytes(), &hash).is_ok();
            Ok(is_same && exists)
        })
        .await
        .context("a password was not checked")?
    }
}

fn hash(argon2: &Argon2<'_>, password: &str) -> anyhow::Result<String> {
    let hash = argon2.hash_password(password.as_bytes()).map_err(|error| anyhow!("{error}"))?;
    Ok(hash.to_string())
}
