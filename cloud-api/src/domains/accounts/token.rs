//! Access and refresh tokens: `EdDSA` JWTs. A verified access token is remembered, since a check costs up to 100 µs.

use super::model::{Plan, Role, User};
use crate::http::{Error, Permission, Result};
use crate::ids::{LoginId, OrganizationId, UserId};
use crate::keys::Ring;
use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use time::OffsetDateTime;
use uuid::Uuid;

/// What an access token says.
#[derive(Debug, Serialize, Deserialize)]
struct AccessClaims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: LoginId,
    org: OrganizationId,
    email: String,
    role: String,
    subscription: Plan,
    scope: Vec<Permission>,
    iat: i64,
    exp: i64,
    jti: Uuid,
}

/// What a refresh token says.
#[derive(Debug, Serialize, Deserialize)]
struct RefreshClaims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: LoginId,
    #[serde(rename = "type")]
    kind: String,
    device_id: Option<String>,
    iat: i64,
    exp: i64,
    jti: Uuid,
}

/// Who shows a good access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    pub user: UserId,
    pub login: LoginId,
    /// When it ends, as Unix time.
    pub exp: i64,
}

/// Issues and verifies, and remembers what it verified.
#[derive(Debug)]
pub struct Tokens {
    lifetime_s: u32,
    verified: Mutex<HashMap<[u8; 32], Verified>>,
}

impl Tokens {
    pub fn new(lifetime_s: u32) -> Self {
        Self { lifetime_s, verified: Mutex::default() }
    }

    pub fn lifetime_s(&self) -> u32 {
        self.lifetime_s
    }

    pub fn issue(
        &self,
        user: &User,
        plan: Plan,
        login: LoginId,
        keys: &Ring,
        now: OffsetDateTime,
    ) -> anyhow::Result<String> {
        let iat = now.unix_timestamp();
        let claims = AccessClaims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.id,
            sid: login,
            org: user.organization_id,
            email: user.email.clone(),
            role: role_name(user.role, plan),
            subscription: plan,
            scope: Permission::all_of(user.role, plan).collect(),
            iat,
            exp: iat + i64::from(self.lifetime_s),
            jti: Uuid::now_v7(),
        };
        sign(&claims, keys)
    }

    /// Who shows a token that is ours and not over. Remembers it.
    pub fn verify(&self, token: &str, keys: &Ring, now: OffsetDateTime) -> Result<Verified> {
        let claims: AccessClaims = check_signature(token, keys, AUDIENCE).ok_or(INVALID)?;
        if claims.iat > now.unix_timestamp() + MAX_SKEW_S {
            return Err(INVALID);
        }
        let verified = Verified { user: claims.sub, login: claims.sid, exp: claims.exp };
        if verified.exp <= now.unix_timestamp() {
            return Err(Error::Unauthorized("token_expired"));
        }
        self.learn(token, verified, now);
        Ok(verified)
    }

    /// Who shows a token that was verified before.
    pub fn known(&self, token: &str, now: OffsetDateTime) -> Option<Verified> {
        let known = self.lock().get(&digest(token)).copied();
        known.filter(|known| known.exp > now.unix_timestamp())
    }

    /// Remembers a token that was verified.
    pub fn learn(&self, token: &str, verified: Verified, now: OffsetDateTime) {
        let mut known = self.lock();
        if known.len() >= MAX_REMEMBERED {
            known.retain(|_, known| known.exp > now.unix_timestamp());
        }
        if known.len() < MAX_REMEMBERED {
            known.insert(digest(token), verified);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Verified>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new refresh token of a login.
pub fn issue_refresh(
    user: UserId,
    login: LoginId,
    device_id: Option<String>,
    keys: &Ring,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> anyhow::Result<String> {
    let claims = RefreshClaims {
        iss: ISSUER.to_owned(),
        aud: REFRESH_AUDIENCE.to_owned(),
        sub: user,
        sid: login,
        kind: "refresh".to_owned(),
        device_id,
        iat: now.unix_timestamp(),
        exp: expires_at.unix_timestamp(),
        jti: Uuid::now_v7(),
    };
    sign(&claims, keys)
}

/// Whether a refresh token is ours and not over.
pub fn is_refresh(token: &str, keys: &Ring, now: OffsetDateTime) -> bool {
    let claims: Option<RefreshClaims> = check_signature(token, keys, REFRESH_AUDIENCE);
    claims.is_some_and(|claims| claims.exp > now.unix_timestamp())
}

/// What is kept of a token.
pub fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// 256 random bits, as text.
pub fn random() -> anyhow::Result<String> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).context("no random numbers")?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

/// The role as apps know it: what members paid for shows in theirs.
fn role_name(role: Role, plan: Plan) -> String {
    match (role, plan) {
        (Role::Member, Plan::Free) => "user".to_owned(),
        (Role::Member, Plan::Premium) => "premium".to_owned(),
        (role, _) => role.to_string(),
    }
}

fn sign(claims: &impl Serialize, keys: &Ring) -> anyhow::Result<String> {
    let kid = Some(keys.key_id().to_string());
    let header = Header { kid, ..Header::new(Algorithm::EdDSA) };
    Ok(jsonwebtoken::encode(&header, claims, keys.encoding())?)
}

/// Time is checked by the caller, against the Clock.
fn check_signature<T: DeserializeOwned>(token: &str, keys: &Ring, audience: &str) -> Option<T> {
    let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    Some(jsonwebtoken::decode::<T>(token, keys.decoding(&kid)?, &validation).ok()?.claims)
}

/// Any token that is not good.
pub const INVALID: Error = Error::Unauthorized("invalid_token");

const ISSUER: &str = "gymwire";
const AUDIENCE: &str = "gymwire-api";
const REFRESH_AUDIENCE: &str = "gymwire-refresh";
/// By how much the clocks of our instances may differ.
const MAX_SKEW_S: i64 = 60;
const MAX_REMEMBERED: usize = 50_000;
