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

/// `PUT /edge/v1/key`: the key that is to take the place of the edge's present one.
///
/// The present key says that it is to be, the next one that somebody has it; both name the key that is replaced, so an
/// announcement means nothing once it has been followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAnnouncement {
    /// The next Ed25519 public key, hex.
    pub public_key: String,
    /// Signature by the present key, hex, of `gymwire-edge-key-v1` and the 16 bytes of the edge's id, the 32 bytes of
    /// the present and the 32 bytes of the next public key.
    pub signature: String,
    /// Signature of the same by the next key, hex.
    pub proof: String,
}

impl KeyAnnouncement {
    /// Announces `next` in the place of `present`.
    pub fn make(edge: EdgeId, present: &SigningKey, next: &SigningKey) -> Self {
        let said = announced_bytes(edge, &present.verifying_key(), &next.verifying_key());
        Self {
            public_key: hex::encode(next.verifying_key().as_bytes()),
            signature: hex::encode(present.sign(&said).to_bytes()),
            proof: hex::encode(next.sign(&said).to_bytes()),
        }
    }

    /// The next key, if the owner of `present` and of itself said so of this edge.
    pub fn verify(&self, edge: EdgeId, present: &VerifyingKey) -> Option<VerifyingKey> {
        let next: [u8; 32] = hex::decode(&self.public_key).ok()?.try_into().ok()?;
        let next = VerifyingKey::from_bytes(&next).ok().filter(|next| next != present)?;
        let said = announced_bytes(edge, present, &next);
        let is_signed = |key: &VerifyingKey, signature: &str| {
            let signature = hex::decode(signature).ok()?;
            let signature = Signature::from_slice(&signature).ok()?;
            key.verify_strict(&said, &signature).ok()
        };
        is_signed(present, &self.signature)?;
        is_signed(&next, &self.proof)?;
        Some(next)
    }
}

fn announced_bytes(edge: EdgeId, present: &VerifyingKey, next: &VerifyingKey) -> Vec<u8> {
    let label = b"gymwire-edge-key-v1".as_slice();
    [label, edge.0.as_bytes(), present.as_bytes(), next.as_bytes()].concat()
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

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const EDGE: EdgeId = EdgeId(Uuid::from_u128(7));

    fn key(number: u8) -> SigningKey {
        SigningKey::from_bytes(&[number; 32])
    }

    #[test]
    fn an_announced_key_is_believed_of_its_edge_and_its_former_key_only() {
        let announced = KeyAnnouncement::make(EDGE, &key(1), &key(2));
        let present = key(1).verifying_key();

        assert_eq!(announced.verify(EDGE, &present), Some(key(2).verifying_key()));
        assert_eq!(announced.verify(EdgeId(Uuid::from_u128(8)), &present), None);
        assert_eq!(announced.verify(EDGE, &key(3).verifying_key()), None);
        assert_eq!(announced.verify(EDGE, &key(2).verifying_key()), None);
    }

    #[test]
    fn nobody_announces_a_key_without_having_both() {
        let good = KeyAnnouncement::make(EDGE, &key(1), &key(2));
        let by_a_stranger = KeyAnnouncement::make(EDGE, &key(3), &key(2));
        let present = key(1).verifying_key();

        let unsigned = KeyAnnouncement { signature: by_a_stranger.signature, ..good.clone() };
        let unproven = KeyAnnouncement { proof: good.signature.clone(), ..good.clone() };
        let noise = KeyAnnouncement { public_key: "zz".to_owned(), ..good.clone() };
        let same = KeyAnnouncement::make(EDGE, &key(1), &key(1));

        for refused in [unsigned, unproven, noise, same] {
            assert_eq!(refused.verify(EDGE, &present), None);
        }
    }

    #[test]
    fn the_signed_bytes_of_an_announcement_stay_as_they_are() {
        let announced = KeyAnnouncement::make(EDGE, &key(1), &key(2));

        assert_eq!(
            announced.public_key,
            "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
        );
        assert_eq!(
            announced.signature,
            "949cacde621eb329192831cbf34f855a46bfe5abb5c7db5b467745c0031dc398\
             d6cd5f61acd4f07fe5f07bdec9b1c877f4388518d07afc3326e257fc22144f0c"
        );
    }
}
