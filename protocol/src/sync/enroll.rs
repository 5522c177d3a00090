//! How an edge becomes known to the cloud, and proves itself afterwards (JSON).

use crate::ids::{BranchId, EdgeId, OrganizationId};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// `POST /edge/v1/enroll`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollRequest {
    /// The one-time code that staff made.
    pub code: String,
    /// The edge's Ed25519 public key, hex. Its private half never leaves the edge.
    pub public_key: String,
    /// Signature of the code by that key, hex, see [`prove`].
    pub proof: String,
    /// The edge's host name.
    pub hostname: String,
    /// The agent's version.
    pub agent_version: String,
}

/// The cloud's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollAnswer {
    /// What the edge is called from now on.
    pub edge_id: EdgeId,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// Where it stands.
    pub branch_id: BranchId,
    /// The branch's name.
    pub branch_name: String,
    /// The branch's number in short codes.
    pub site_no: u16,
    /// Public keys of the cloud: number and key in hex.
    pub cloud_keys: Vec<EnrollKey>,
    /// Key under which card numbers are hashed in this organization, 32 bytes, hex. Secret.
    pub credential_key: String,
    /// Unix milliseconds now.
    pub now_ms: i64,
}

/// A public key of the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollKey {
    /// Its number.
    pub key_id: u16,
    /// The key, hex.
    pub public: String,
}

/// Claims of the assertion that an edge signs to get a token (`POST /edge/v1/token`, RFC 7523, `EdDSA`).
///
/// Form fields: `grant_type=client_credentials`, `client_assertion_type=`[`ASSERTION_TYPE`],
/// `client_assertion=` the JWT. `sub` and `iss` are the edge id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionClaims {
    /// The edge id.
    pub iss: EdgeId,
    /// The edge id.
    pub sub: EdgeId,
    /// [`AUDIENCE`].
    pub aud: String,
    /// Unix seconds.
    pub iat: i64,
    /// Unix seconds, at most 5 minutes after `iat`.
    pub exp: i64,
    /// Random, used once.
    pub jti: String,
    /// Random number of this start of the agent. Two of them alive with one key are a conflict.
    pub boot: String,
}

/// Audience of an edge's assertion.
pub const AUDIENCE: &str = "gymwire-edge";
/// Type of an edge's assertion.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The cloud's answer to a good assertion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenAnswer {
    /// To be sent as `Authorization: Bearer`.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Seconds it is good for.
    pub expires_in: u32,
    /// Unix milliseconds now.
    pub now_ms: i64,
}

/// Extra members of the problem 401 `clock_skew`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockSkew {
    /// Unix milliseconds now.
    pub now_ms: i64,
}

/// Signs an enrolment code, hex.
pub fn prove(code: &str, key: &SigningKey) -> String {
    hex::encode(key.sign(&proof_bytes(code)).to_bytes())
}

/// Whether `proof` was made by the owner of `public`.
pub fn is_proven(code: &str, proof: &str, public: &VerifyingKey) -> bool {
    hex::decode(proof)
        .ok()
        .and_then(|bytes| Signature::from_slice(&bytes).ok())
        .is_some_and(|signature| public.verify_strict(&proof_bytes(code), &signature).is_ok())
}

fn proof_bytes(code: &str) -> Vec<u8> {
    [b"gymwire-enroll-v1".as_slice(), code.as_bytes()].concat()
}
