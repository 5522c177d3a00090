//! What a device logs in with.

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt;
use utoipa::ToSchema;

/// A random secret of 160 bits as text.
pub struct Secret(String);

/// What a device logs in with: shown now and never again.
#[derive(Serialize, ToSchema)]
pub struct NewSecret {
    #[schema(example = "f3Jq0iYF2xv2Ck8mYv0S9m1kQbE")]
    secret: String,
}

impl From<Secret> for NewSecret {
    fn from(secret: Secret) -> Self {
        Self { secret: secret.0 }
    }
}

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
