//! Dynamic QR codes: `G1` and base64url of 23 bytes of payload and 64 bytes of Ed25519 signature over
//! `"gymwire-qr-v1" || payload`. Everything is big-endian. Nothing inside counts before [`verify`]; who lets somebody
//! in by it asks [`accept`], and keeps [`QrPayload::use_id`] so that a code is good once.

use crate::sync::changes::CloudKey;
use crate::time::TrustedTime;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

/// What every code starts with.
pub const QR_PREFIX: &str = "G1";
/// Characters of a code.
pub const QR_LENGTH: usize = 118;
/// The version byte of the payload.
pub const QR_VERSION: u8 = 1;
/// Key numbers from here on are reserved for keys held by phones.
pub const FIRST_PHONE_KEY: u16 = 0x8000;
/// Seconds per step of [`QrPayload::ttl`].
pub const TTL_STEP_S: u32 = 5;
/// Seconds by which the clocks of phone, cloud and edge may differ.
pub const SKEW_S: u32 = 10;
/// The same while the edge's clock is not synchronised.
pub const UNSYNCED_SKEW_S: u32 = 120;

const PAYLOAD: usize = 23;
const SIGNATURE: usize = 64;
const DOMAIN: &[u8] = b"gymwire-qr-v1";

/// What a code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QrPayload {
    /// Number of the key that signed it.
    pub kid: u16,
    /// The branch it is for; 0 for any.
    pub site_no: u16,
    /// The member's number.
    pub member_no: u64,
    /// Unix seconds at which it was made.
    pub iat_s: u32,
    /// How long it is good, in steps of 5 s.
    pub ttl: u8,
    /// What it is good for.
    pub scope: u8,
    /// Random, so that no two codes are the same.
    pub nonce: [u8; 4],
}

/// A public key of the cloud, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QrKey {
    /// Its number.
    pub kid: u16,
    /// The key.
    pub public: VerifyingKey,
}

/// Why a text is no good code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QrError {
    /// Not `G1` and 116 characters of base64url.
    #[error("this is no code of ours")]
    Format,
    /// A version this build does not read.
    #[error("version {0} of codes is not supported")]
    Version(u8),
    /// Signed by a key that does not count.
    #[error("key {0} is not known")]
    UnknownKey(u16),
    /// The signature is not by that key.
    #[error("the signature does not match")]
    Signature,
    /// Made for another branch.
    #[error("the code is for branch {0}")]
    OtherSite(u16),
    /// Made later than now.
    #[error("the code is not valid yet")]
    NotYet,
    /// Its time is over.
    #[error("the code's time is over")]
    Expired,
}

impl QrKey {
    /// The key to check codes with; none if it is reserved for phones or is no key at all.
    pub fn of(key: &CloudKey) -> Option<Self> {
        let public = VerifyingKey::from_bytes(&key.public).ok()?;
        (key.key_id < FIRST_PHONE_KEY).then_some(Self { kid: key.key_id, public })
    }
}

impl QrPayload {
    /// The last second at which the code is good.
    pub fn expires_s(&self) -> u32 {
        self.iat_s.saturating_add(u32::from(self.ttl) * TTL_STEP_S)
    }

    /// The same for no two codes.
    pub fn use_id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.member_no.to_be_bytes());
        id[8..12].copy_from_slice(&self.iat_s.to_be_bytes());
        id[12..].copy_from_slice(&self.nonce);
        id
    }

    /// The last second at which [`accept`] takes it while the time is known: for so long its use is to be kept.
    pub fn used_until_s(&self) -> u32 {
        self.expires_s().saturating_add(UNSYNCED_SKEW_S)
    }

    /// Whether it is good now. While nobody knows the time, whatever was made before the floor is over.
    fn check_lifetime(&self, now: TrustedTime) -> Result<(), QrError> {
        let skew_s = match now {
            TrustedTime::Synced(_) => SKEW_S,
            TrustedTime::Carried(_) => UNSYNCED_SKEW_S,
            TrustedTime::NotBefore(floor_ms) => {
                let is_after = i64::from(self.iat_s) >= floor_ms.div_euclid(1_000);
                return is_after.then_some(()).ok_or(QrError::Expired);
            }
        };
        let (now_s, skew_s) = (now.floor_ms().div_euclid(1_000), i64::from(skew_s));
        if now_s < i64::from(self.iat_s) - skew_s {
            Err(QrError::NotYet)
        } else if now_s > i64::from(self.expires_s()) + skew_s {
            Err(QrError::Expired)
        } else {
            Ok(())
        }
    }

    fn encode(&self) -> [u8; PAYLOAD] {
        let mut bytes = [0; PAYLOAD];
        bytes[0] = QR_VERSION;
        bytes[1..3].copy_from_slice(&self.kid.to_be_bytes());
        bytes[3..5].copy_from_slice(&self.site_no.to_be_bytes());
        bytes[5..13].copy_from_slice(&self.member_no.to_be_bytes());
        bytes[13..17].copy_from_slice(&self.iat_s.to_be_bytes());
        bytes[17] = self.ttl;
        bytes[18] = self.scope;
        bytes[19..].copy_from_slice(&self.nonce);
        bytes
    }

    fn decode(bytes: &[u8; PAYLOAD]) -> Result<Self, QrError> {
        let &[version, k0, k1, s0, s1, m0, m1, m2, m3, m4, m5, m6, m7, rest @ ..] = bytes;
        let [i0, i1, i2, i3, ttl, scope, nonce @ ..] = rest;
        if version != QR_VERSION {
            return Err(QrError::Version(version));
        }
        Ok(Self {
            kid: u16::from_be_bytes([k0, k1]),
            site_no: u16::from_be_bytes([s0, s1]),
            member_no: u64::from_be_bytes([m0, m1, m2, m3, m4, m5, m6, m7]),
            iat_s: u32::from_be_bytes([i0, i1, i2, i3]),
            ttl,
            scope,
            nonce,
        })
    }
}

/// Makes a code. The caller sees to it that `payload.kid` is the number of `key`.
pub fn sign(payload: &QrPayload, key: &SigningKey) -> String {
    let bytes = payload.encode();
    let signature = key.sign(&signed_bytes(&bytes)).to_bytes();
    let mut code = QR_PREFIX.to_owned();
    URL_SAFE_NO_PAD.encode_string([bytes.as_slice(), &signature].concat(), &mut code);
    code
}

/// What a code claims. Nothing of it is proven: only for logs and for finding the key.
pub fn parse(code: &str) -> Result<QrPayload, QrError> {
    split(code).and_then(|(payload, _)| QrPayload::decode(&payload))
}

/// What a code says, proven by one of `keys`. The caller then checks lifetime, branch and first use.
pub fn verify(code: &str, keys: &[QrKey]) -> Result<QrPayload, QrError> {
    let (bytes, signature) = split(code)?;
    let payload = QrPayload::decode(&bytes)?;
    let key = keys
        .iter()
        .find(|key| key.kid == payload.kid && key.kid < FIRST_PHONE_KEY)
        .ok_or(QrError::UnknownKey(payload.kid))?;
    key.public
        .verify_strict(&signed_bytes(&bytes), &Signature::from_bytes(&signature))
        .map_err(|_| QrError::Signature)?;
    Ok(payload)
}

/// What a code says if it is good in the branch with number `site_no` now: signature first, then branch and lifetime.
/// The caller then makes sure that it is used once.
pub fn accept(
    code: &str,
    keys: &[QrKey],
    site_no: u16,
    now: TrustedTime,
) -> Result<QrPayload, QrError> {
    let payload = verify(code, keys)?;
    if payload.site_no != 0 && payload.site_no != site_no {
        return Err(QrError::OtherSite(payload.site_no));
    }
    payload.check_lifetime(now)?;
    Ok(payload)
}

fn split(code: &str) -> Result<([u8; PAYLOAD], [u8; SIGNATURE]), QrError> {
    let text = code.strip_prefix(QR_PREFIX).ok_or(QrError::Format)?;
    if code.len() != QR_LENGTH {
        return Err(QrError::Format);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| QrError::Format)?;
    let (payload, signature) = bytes.split_first_chunk().ok_or(QrError::Format)?;
    Ok((*payload, signature.try_into().map_err(|_| QrError::Format)?))
}

/// With a prefix, so that it can be mistaken for no other signature of that key.
fn signed_bytes(payload: &[u8; PAYLOAD]) -> Vec<u8> {
    [DOMAIN, payload].concat()
}
