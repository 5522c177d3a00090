//! Accounts elsewhere: id tokens of Google and Apple (`OpenID` Connect), their pages, and access tokens of an external
//! issuer.

mod external;
mod keys;
mod web;

pub use external::{ExternalIdentity, ExternalIssuer};
pub use web::Begun;

use super::web::client;
use crate::config::Provider as Config;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use keys::PublishedKeys;
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use web::WebClient;

/// One provider, as it is configured.
#[derive(Debug)]
pub struct Provider {
    /// Apps that tokens may be made for; none, and nobody signs in like this.
    client_ids: Vec<String>,
    issuers: &'static [&'static str],
    client: reqwest::Client,
    keys: PublishedKeys,
    web: Option<WebClient>,
}

/// Whom an id token names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Identity {
    #[serde(rename = "sub")]
    pub subject: String,
    pub email: Option<String>,
    /// Apple writes it as text.
    #[serde(default, deserialize_with = "truth")]
    pub email_verified: bool,
    pub name: Option<String>,
    nonce: Option<String>,
    azp: Option<String>,
    iat: i64,
    pub exp: i64,
}

/// Why an id token does not count.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Signing in like this is not offered here.
    #[error("not configured")]
    NotConfigured,
    /// It is not good.
    #[error("the token is not good")]
    Refused,
    /// The provider's keys cannot be had.
    #[error("the provider does not answer: {0:#}")]
    Away(anyhow::Error),
}

impl Identity {
    /// Somebody whom another kind of token names.
    pub fn told(subject: String, email: Option<String>, email_verified: bool, exp: i64) -> Self {
        Self { subject, email, email_verified, name: None, nonce: None, azp: None, iat: exp, exp }
    }
}

impl Provider {
    pub fn google(config: &Config) -> anyhow::Result<Self> {
        let issuers = &["https://accounts.google.com", "accounts.google.com"];
        let web = WebClient::google(&config.web)?;
        Self::new(config, issuers, "https://www.googleapis.com/oauth2/v3/certs", web)
    }

    pub fn apple(config: &Config) -> anyhow::Result<Self> {
        let issuers = &["https://appleid.apple.com"];
        let web = WebClient::apple(&config.web)?;
        Self::new(config, issuers, "https://appleid.apple.com/auth/keys", web)
    }

    fn new(
        config: &Config,
        issuers: &'static [&'static str],
        keys_url: &str,
        web: Option<WebClient>,
    ) -> anyhow::Result<Self> {
        let keys_url = config.keys_url.clone().unwrap_or_else(|| keys_url.to_owned());
        let (client, keys) = (client()?, PublishedKeys::new(keys_url)?);
        let mut client_ids = config.client_ids.clone();
        client_ids.extend(web.as_ref().map(|web| web.client_id.clone()));
        Ok(Self { client_ids, issuers, client, keys, web })
    }

    /// The page on which somebody signs in.
    pub fn page(&self, begun: Begun<'_>) -> Result<String, IdentityError> {
        Ok(self.web.as_ref().ok_or(IdentityError::NotConfigured)?.page(begun))
    }

    /// Whom a code names that a browser came back with, and the id token that it was good for.
    pub async fn redeem(
        &self,
        code: &str,
        begun: Begun<'_>,
        now: OffsetDateTime,
    ) -> Result<(Identity, String), IdentityError> {
        let web = self.web.as_ref().ok_or(IdentityError::NotConfigured)?;
        let token = web.redeem(&self.client, code, begun, now).await?;
        Ok((self.verify(&token, begun.nonce, now).await?, token))
    }

    /// Whom a token names, if it was made for us and for this nonce.
    pub async fn verify(
        &self,
        token: &str,
        nonce: &str,
        now: OffsetDateTime,
    ) -> Result<Identity, IdentityError> {
        if self.client_ids.is_empty() {
            return Err(IdentityError::NotConfigured);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| IdentityError::Refused)?;
        let kid = header.kid.ok_or(IdentityError::Refused)?;
        let key = self.keys.key(&kid).await.map_err(IdentityError::Away)?;
        let key = key.ok_or(IdentityError::Refused)?;
        let identity = self.check(token, &key).ok_or(IdentityError::Refused)?;
        let now = now.unix_timestamp();
        let is_timely = identity.exp + SKEW_S > now && identity.iat - SKEW_S <= now;
        let authorized = identity.azp.as_ref().is_none_or(|azp| self.client_ids.contains(azp));
        let is_ours = is_same_nonce(identity.nonce.as_deref(), nonce);
        if is_timely && authorized && is_ours { Ok(identity) } else { Err(IdentityError::Refused) }
    }

    /// Time is checked by the caller, against the Clock.
    fn check(&self, token: &str, key: &DecodingKey) -> Option<Identity> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.set_issuer(self.issuers);
        validation.set_audience(&self.client_ids);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Some(jsonwebtoken::decode::<Identity>(token, key, &validation).ok()?.claims)
    }
}

const SKEW_S: i64 = 60;

/// Apps give Apple a digest of the nonce, and Google the nonce itself.
fn is_same_nonce(told: Option<&str>, nonce: &str) -> bool {
    let Some(told) = told else { return false };
    let digest = hex::encode(Sha256::digest(nonce));
    let is_plain: bool = told.as_bytes().ct_eq(nonce.as_bytes()).into();
    let is_digest: bool = told.as_bytes().ct_eq(digest.as_bytes()).into();
    is_plain || is_digest
}

fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Truth {
        Plain(bool),
        Text(String),
    }
    Ok(match Truth::deserialize(deserializer)? {
        Truth::Plain(is_true) => is_true,
        Truth::Text(text) => text == "true",
    })
}
