//! Access tokens: `EdDSA` JWTs. A verified one is remembered, since a check costs up to 100 µs.

use super::model::{Role, User};
use crate::http::{Error, Result};
use crate::ids::{OrganizationId, UserId};
use crate::keys::Ring;
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use time::OffsetDateTime;
use uuid::Uuid;

/// What an access token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    org: OrganizationId,
    role: Role,
    iat: i64,
    exp: i64,
    jti: Uuid,
}

/// Issues and verifies, and remembers what it verified.
#[derive(Debug)]
pub struct Tokens {
    lifetime_s: u32,
    verified: Mutex<HashMap<[u8; 32], Claims>>,
}

impl Claims {
    pub fn user(&self) -> UserId {
        self.sub
    }
}

impl Tokens {
    pub fn new(lifetime_s: u32) -> Self {
        Self { lifetime_s, verified: Mutex::default() }
    }

    pub fn lifetime_s(&self) -> u32 {
        self.lifetime_s
    }

    pub fn issue(&self, user: &User, keys: &Ring, now: OffsetDateTime) -> anyhow::Result<String> {
        let iat = now.unix_timestamp();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.id,
            org: user.organization_id,
            role: user.role,
            iat,
            exp: iat + i64::from(self.lifetime_s),
            jti: Uuid::now_v7(),
        };
        let kid = Some(keys.key_id().to_string());
        let header = Header { kid, ..Header::new(Algorithm::EdDSA) };
        Ok(jsonwebtoken::encode(&header, &claims, keys.encoding())?)
    }

    /// The claims of a token that is ours and not over.
    pub fn verify(&self, token: &str, keys: &Ring, now: OffsetDateTime) -> Result<Claims> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let remembered = self.remembered(&digest);
        let claims = match remembered {
            Some(claims) => claims,
            None => check_signature(token, keys).ok_or(Error::Unauthorized("invalid_token"))?,
        };
        if claims.exp <= now.unix_timestamp() {
            return Err(Error::Unauthorized("token_expired"));
        }
        self.remember(digest, &claims, now);
        Ok(claims)
    }

    fn remembered(&self, digest: &[u8; 32]) -> Option<Claims> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    fn remember(&self, digest: [u8; 32], claims: &Claims, now: OffsetDateTime) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= MAX_REMEMBERED {
            verified.retain(|_, claims| claims.exp > now.unix_timestamp());
        }
        if verified.len() < MAX_REMEMBERED {
            verified.entry(digest).or_insert_with(|| claims.clone());
        }
    }
}

/// Time is checked by the caller, against the Clock.
fn check_signature(token: &str, keys: &Ring) -> Option<Claims> {
    let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let data = jsonwebtoken::decode::<Claims>(token, keys.decoding(&kid)?, &validation).ok()?;
    Some(data.claims)
}

const ISSUER: &str = "gymwire";
const AUDIENCE: &str = "gymwire-api";
const MAX_REMEMBERED: usize = 50_000;
