//! What a device logs in with.

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;

/// A random secret of 160 bits as text.
pub struct Secret(String);

impl Secret {
    pub fn generate() -> anyhow::Result<Self> {
        let mut random = [0; 20];
        getrandom::fill(&mut random).context("no random numbers")?;
        Ok(Self(URL_SAFE_NO_PAD.encode(random)))
    }

    /// The text itself; shown once, never logged.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept. The secret is random, so a fast hash is enough.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
