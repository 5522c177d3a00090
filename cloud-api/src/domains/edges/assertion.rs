//! The assertion an edge signs: a JWT whose key is found by what it says of itself, then checked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use protocol::sync::enroll::{AUDIENCE, AssertionClaims};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A JWT that was read but not verified.
pub struct Assertion<'a> {
    /// Worth nothing before [`Assertion::verify`], except to look a key up.
    pub claims: AssertionClaims,
    signed: &'a str,
    signature: Signature,
}

#[derive(Deserialize)]
struct JoseHeader {
    alg: String,
}

/// How far the edge's idea of our time may be off.
pub const TOLERANCE_S: i64 = 60;
const MAX_LIFETIME_S: i64 = 5 * 60;
const MAX_BYTES: usize = 4096;
const MAX_TEXT: usize = 128;

impl<'a> Assertion<'a> {
    /// Takes it apart. Anything but `EdDSA` is not even read.
    pub fn read(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.').filter(|_| token.len() <= MAX_BYTES)?;
        let (header, claims) = signed.split_once('.')?;
        let header: JoseHeader = json(header)?;
        let claims: AssertionClaims = json(claims)?;
        let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        (header.alg == "EdDSA").then_some(Self { claims, signed, signature })
    }

    /// The claims, if the key signed them and they are meant for us.
    pub fn verify(&self, public_key: &[u8]) -> Option<AssertionClaims> {
        let key = VerifyingKey::from_bytes(public_key.try_into().ok()?).ok()?;
        key.verify_strict(self.signed.as_bytes(), &self.signature).ok()?;
        let claims = &self.claims;
        let lifetime_s = claims.exp.checked_sub(claims.iat)?;
        let is_text = |text: &str| (1..=MAX_TEXT).contains(&text.len()) && !text.contains('\0');
        let is_meant = claims.aud == AUDIENCE
            && claims.iss == claims.sub
            && (0..=MAX_LIFETIME_S).contains(&lifetime_s)
            && is_text(&claims.jti)
            && is_text(&claims.boot);
        is_meant.then(|| claims.clone())
    }
}

fn json<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
