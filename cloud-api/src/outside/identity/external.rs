//! An issuer of access tokens besides ourselves, such as Supabase Auth: its tokens are verified with the keys that it
//! publishes, or with the secret that it shares with us.

use super::keys::PublishedKeys;
use super::{IdentityError, SKEW_S};
use crate::config::ExternalIssuer as Config;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use std::fmt;
use time::OffsetDateTime;
use uuid::Uuid;

/// The issuer, as it is configured.
#[derive(Debug)]
pub struct ExternalIssuer {
    issuer: String,
    audience: String,
    confirms_email: bool,
    key: Key,
}

enum Key {
    Secret(DecodingKey),
    Published(PublishedKeys),
}

/// Whom one of its tokens names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ExternalIdentity {
    #[serde(rename = "sub")]
    pub subject: Uuid,
    /// The login there; all tokens that it is renewed with have the same.
    pub session_id: Uuid,
    pub email: Option<String>,
    #[serde(default)]
    is_anonymous: bool,
    iat: i64,
    pub exp: i64,
}

/// Only to see whose a token is.
#[derive(Deserialize)]
struct Issuer {
    iss: String,
}

impl ExternalIssuer {
    pub fn new(config: &Config) -> anyhow::Result<Option<Self>> {
        let Some(issuer) = config.issuer.clone() else { return Ok(None) };
        let key = if let Some(secret) = &config.secret {
            Key::Secret(DecodingKey::from_secret(secret.expose().as_bytes()))
        } else {
            let url = || format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/'));
            Key::Published(PublishedKeys::new(config.keys_url.clone().unwrap_or_else(url))?)
        };
        let (audience, confirms_email) = (config.audience.clone(), config.confirms_email);
        Ok(Some(Self { issuer, audience, confirms_email, key }))
    }

    /// Whether it confirms the addresses that it tells.
    pub fn confirms_email(&self) -> bool {
        self.confirms_email
    }

    /// Whether a token says that it is of this issuer. Nothing about it is verified.
    pub fn is_named_by(&self, token: &str) -> bool {
        let claims = token.split('.').nth(1).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let issuer = claims.and_then(|claims| serde_json::from_slice::<Issuer>(&claims).ok());
        issuer.is_some_and(|issuer| issuer.iss == self.issuer)
    }

    /// Whom a token names.
    pub async fn verify(
        &self,
        token: &str,
        now: OffsetDateTime,
    ) -> Result<ExternalIdentity, IdentityError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| IdentityError::Refused)?;
        let identity = match &self.key {
            Key::Secret(key) => self.check(token, key, Algorithm::HS256),
            Key::Published(keys) => {
                let kid = header.kid.ok_or(IdentityError::Refused)?;
                let key = keys.key(&kid).await.map_err(IdentityError::Away)?;
                let is_usable = matches!(header.alg, Algorithm::ES256 | Algorithm::RS256);
                let key = key.filter(|_| is_usable).ok_or(IdentityError::Refused)?;
                self.check(token, &key, header.alg)
            }
        };
        let now = now.unix_timestamp();
        let is_good =
            |one: &ExternalIdentity| one.exp > now && one.iat - SKEW_S <= now && !one.is_anonymous;
        identity.filter(is_good).ok_or(IdentityError::Refused)
    }

    /// Time is checked by the caller, against the Clock.
    fn check(&self, token: &str, key: &DecodingKey, alg: Algorithm) -> Option<ExternalIdentity> {
        let mut validation = Validation::new(alg);
        validation.validate_exp = false;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Some(jsonwebtoken::decode(token, key, &validation).ok()?.claims)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}
