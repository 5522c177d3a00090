//! `/.well-known/jwks.json`: the public keys that access tokens are verified with.

use crate::app::App;
use crate::http::IfNoneMatch;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;

/// A set of keys, RFC 7517.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeySet {
    pub keys: Vec<PublicKey>,
}

/// An Ed25519 key, RFC 8037.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublicKey {
    #[schema(example = "OKP")]
    pub kty: &'static str,
    #[schema(example = "Ed25519")]
    pub crv: &'static str,
    #[schema(example = "EdDSA")]
    pub alg: &'static str,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    pub usage: &'static str,
    /// As it stands in the head of a token.
    #[schema(example = "1")]
    pub kid: String,
    /// The key, base64url.
    pub x: String,
}

/// Read the keys that access tokens are verified with.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "accounts", security(()), responses(
    (status = 200, body = KeySet),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_keys(
    State(app): State<App>,
    known: IfNoneMatch,
) -> crate::http::Result<Response> {
    let ring = app.keys.user_token();
    let keys = ring.public().map(|(key_id, key)| PublicKey {
        kty: "OKP",
        crv: "Ed25519",
        alg: "EdDSA",
        usage: "sig",
        kid: key_id.to_string(),
        x: URL_SAFE_NO_PAD.encode(key.as_bytes()),
    });
    let mut response = known.answer(&KeySet { keys: keys.collect() })?;
    let public = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(header::CACHE_CONTROL, public);
    Ok(response)
}
