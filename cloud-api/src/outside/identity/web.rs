//! Signing in by way of a provider's own page: where a browser is sent, and what the code is worth that it comes back
//! with. PKCE (RFC 7636) ties the code to who began.

use super::IdentityError;
use crate::config::WebSignIn;
use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{StatusCode, header};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::Path;
use time::OffsetDateTime;
use url::{Url, form_urlencoded};

/// Our account with a provider, for browsers.
#[derive(Debug)]
pub struct WebClient {
    pub client_id: String,
    key: ClientKey,
    page: Page,
    token_url: String,
}

/// A provider's page, and what it wants besides what all of them do.
#[derive(Debug)]
struct Page {
    url: Url,
    extra: &'static [(&'static str, &'static str)],
}

/// How we show that we are who we are.
enum ClientKey {
    Secret(crate::config::Secret),
    /// Apple takes a token that is signed for each call.
    Signed {
        team_id: String,
        key_id: String,
        key: EncodingKey,
    },
}

/// One sign-in that was begun.
#[derive(Debug, Clone, Copy)]
pub struct Begun<'a> {
    pub redirect_uri: &'a str,
    pub state: &'a str,
    pub nonce: &'a str,
    /// The verifier of PKCE; what the page is told is its digest.
    pub verifier: &'a str,
}

#[derive(Deserialize)]
struct Granted {
    id_token: String,
}

/// Apple believes a token of ours for up to half a year; a call takes seconds.
const CLIENT_TOKEN_S: i64 = 300;

impl WebClient {
    pub fn google(config: &WebSignIn) -> anyhow::Result<Option<Self>> {
        let Some(client_id) = config.client_id.clone() else { return Ok(None) };
        let secret = config.client_secret.clone();
        let secret = secret.context("google.web.client_secret: is needed with a client_id")?;
        let page = "https://accounts.google.com/o/oauth2/v2/auth";
        let extra = &[("response_type", "code"), ("scope", "openid email profile")];
        let token_url = "https://oauth2.googleapis.com/token";
        Self::new(config, client_id, ClientKey::Secret(secret), (page, extra), token_url)
            .context("google.web")
            .map(Some)
    }

    pub fn apple(config: &WebSignIn) -> anyhow::Result<Option<Self>> {
        let Some(client_id) = config.client_id.clone() else { return Ok(None) };
        let key = ClientKey::signed(config)?;
        let page = "https://appleid.apple.com/auth/authorize";
        // Who asks Apple for a name gets the answer as a form.
        let extra =
            &[("response_type", "code"), ("response_mode", "form_post"), ("scope", "name email")];
        let token_url = "https://appleid.apple.com/auth/token";
        Self::new(config, client_id, key, (page, extra), token_url).context("apple.web").map(Some)
    }

    fn new(
        config: &WebSignIn,
        client_id: String,
        key: ClientKey,
        (page, extra): (&str, &'static [(&'static str, &'static str)]),
        token_url: &str,
    ) -> anyhow::Result<Self> {
        let page = config.authorize_url.as_deref().unwrap_or(page);
        let url = Url::parse(page).context("authorize_url: no address")?;
        let token_url = config.token_url.as_deref().unwrap_or(token_url).to_owned();
        Ok(Self { client_id, key, page: Page { url, extra }, token_url })
    }

    /// Where the browser goes.
    pub fn page(&self, begun: Begun<'_>) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(begun.verifier));
        let mut url = self.page.url.clone();
        url.query_pairs_mut()
            .extend_pairs(self.page.extra)
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", begun.redirect_uri)
            .append_pair("state", begun.state)
            .append_pair("nonce", begun.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        url.into()
    }

    /// The id token that a code is good for, once.
    pub async fn redeem(
        &self,
        client: &reqwest::Client,
        code: &str,
        begun: Begun<'_>,
        now: OffsetDateTime,
    ) -> Result<String, IdentityError> {
        let secret = self.key.secret(&self.client_id, now).map_err(IdentityError::Away)?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", begun.redirect_uri)
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", &secret)
            .append_pair("code_verifier", begun.verifier)
            .finish();
        let request = client
            .post(&self.token_url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let answer = request.send().await.map_err(away)?;
        // Wrong, used or late codes are the caller's; a wrong client is ours to mend.
        if answer.status() == StatusCode::BAD_REQUEST {
            let told = answer.json::<serde_json::Value>().await.unwrap_or_default();
            if told["error"] == "invalid_grant" {
                return Err(IdentityError::Refused);
            }
            let error = told["error"].as_str().unwrap_or("no reason").to_owned();
            return Err(IdentityError::Away(anyhow::anyhow!("the exchange is refused: {error}")));
        }
        let answer = answer.error_for_status().map_err(away)?;
        Ok(answer.json::<Granted>().await.map_err(away)?.id_token)
    }
}

fn away(error: reqwest::Error) -> IdentityError {
    IdentityError::Away(error.without_url().into())
}

impl ClientKey {
    fn signed(config: &WebSignIn) -> anyhow::Result<Self> {
        let needed = |value: &Option<String>, key| {
            value.clone().with_context(|| format!("apple.web.{key}: is needed with a client_id"))
        };
        let file = config.private_key_file.as_deref();
        let file = file.context("apple.web.private_key_file: is needed with a client_id")?;
        Ok(Self::Signed {
            team_id: needed(&config.team_id, "team_id")?,
            key_id: needed(&config.key_id, "key_id")?,
            key: private_key(file)
                .with_context(|| format!("apple.web.private_key_file: {}", file.display()))?,
        })
    }

    fn secret(&self, client_id: &str, now: OffsetDateTime) -> anyhow::Result<String> {
        let (team_id, key_id, key) = match self {
            Self::Secret(secret) => return Ok(secret.expose().to_owned()),
            Self::Signed { team_id, key_id, key } => (team_id, key_id, key),
        };
        let iat = now.unix_timestamp();
        let claims = json!({
            "iss": team_id, "iat": iat, "exp": iat + CLIENT_TOKEN_S,
            "aud": "https://appleid.apple.com", "sub": client_id,
        });
        let header = Header { kid: Some(key_id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, key).context("apple.web.private_key_file")
    }
}

fn private_key(file: &Path) -> anyhow::Result<EncodingKey> {
    let key = PrivatePkcs8KeyDer::from_pem_file(file).context("cannot be read as a key in PEM")?;
    let key = EncodingKey::from_ec_der(key.secret_pkcs8_der());
    let signed = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &json!({}), &key);
    ensure!(signed.is_ok(), "is no key of the curve P-256");
    Ok(key)
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientKey")
    }
}
