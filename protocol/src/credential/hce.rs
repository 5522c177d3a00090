//! Phones: a P-256 signature over a nonce of ours, the branch and the member, so that an answer is good once and
//! in one place. The key is in the roster; the private part never leaves the phone.
//!
//! Token: `01 || member_no` (8 bytes, big-endian). Signed: `"gymwire-hce-v1" || nonce (16) || site_no (2) ||
//! member_no (8)`, big-endian, SHA-256; the signature is `r || s`, 64 bytes.

use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};

/// The application that a reader asks a phone for.
pub const HCE_AID: [u8; 6] = [0xF0, 0x47, 0x59, 0x4D, 0x57, 0x01];
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 16;
/// Bytes of a token.
pub const TOKEN_BYTES: usize = 9;
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

const TOKEN_VERSION: u8 = 1;
const DOMAIN: &[u8] = b"gymwire-hce-v1";

/// What a phone is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HceChallenge {
    /// Random, given out by the agent for one use.
    pub nonce: [u8; NONCE_BYTES],
    /// The short number of the branch.
    pub site_no: u16,
}

/// Why an answer proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HceError {
    /// Not `01` and 8 bytes.
    #[error("this is no token of ours")]
    Token,
    /// Not 33 bytes of a point of the curve.
    #[error("the phone's key in the roster is no key")]
    Key,
    /// Not 64 bytes by that key over this nonce, branch and member.
    #[error("the signature does not match")]
    Signature,
}

/// The member a token claims. Nothing of it is proven: only for finding the phone's key.
pub fn claimed_member(token: &[u8]) -> Result<u64, HceError> {
    match token.split_first() {
        Some((&TOKEN_VERSION, number)) => {
            number.try_into().map(u64::from_be_bytes).map_err(|_| HceError::Token)
        }
        _ => Err(HceError::Token),
    }
}

/// The member whom the answer proves. `public_key` is one that the roster has for the claimed member, as 33 bytes
/// (SEC1, compressed); `challenge` is what this branch gave out, not what the reader says.
pub fn verify(
    challenge: &HceChallenge,
    token: &[u8],
    signature: &[u8],
    public_key: &[u8],
) -> Result<u64, HceError> {
    let member_no = claimed_member(token)?;
    let signature = Signature::from_slice(signature).map_err(|_| HceError::Signature)?;
    if !matches!(public_key, [2 | 3, ..]) {
        return Err(HceError::Key);
    }
    let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| HceError::Key)?;
    key.verify(&challenge.signed_bytes(member_no), &signature).map_err(|_| HceError::Signature)?;
    Ok(member_no)
}

impl HceChallenge {
    /// What a phone answers: token and signature.
    pub fn answer(
        &self,
        member_no: u64,
        key: &SigningKey,
    ) -> ([u8; TOKEN_BYTES], [u8; SIGNATURE_BYTES]) {
        let mut token = [TOKEN_VERSION; TOKEN_BYTES];
        token[1..].copy_from_slice(&member_no.to_be_bytes());
        let signature: Signature = key.sign(&self.signed_bytes(member_no));
        (token, signature.to_bytes().into())
    }

    fn signed_bytes(&self, member_no: u64) -> Vec<u8> {
        [DOMAIN, &self.nonce, &self.site_no.to_be_bytes(), &member_no.to_be_bytes()].concat()
    }
}
