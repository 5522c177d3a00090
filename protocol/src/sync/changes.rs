//! What the cloud tells a branch: registry, settings and (as opaque items) the roster.
//!
//! `GET /edge/v1/changes` answers signed changes: `version || key id (u16, little-endian) || Ed25519 signature
//! (64 bytes) || zstd(postcard(Changes))`. The signature covers everything but itself.

use super::entry::{DeviceKind, bytes};
use super::wire::{self, WireError};
use crate::ids::{BranchId, Code, DeviceId};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// Media type of an answer.
pub const CHANGES_MEDIA_TYPE: &str = "application/vnd.gymwire.changes";
/// The newest version of [`Changes`]' encoding.
pub const CHANGES_VERSION: u8 = 1;
/// An inflated answer is at most this long.
pub const MAX_CHANGES_BYTES: usize = 1024 * 1024;

const KEY_ID: std::ops::Range<usize> = 1..3;
const SIGNATURE: std::ops::Range<usize> = 3..67;

/// Everything that changed for a branch between two versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// Which branch; a signed answer for one branch is worth nothing in another.
    pub branch: BranchId,
    /// The version that was asked from.
    pub from: u64,
    /// Ask from here next time.
    pub to: u64,
    /// What was held before is to be forgotten first: `from` was too old, or 0.
    pub reset: bool,
    /// More is waiting: ask again at once.
    pub more: bool,
    /// In order.
    pub changes: Vec<Change>,
}

/// One thing that is now so. New kinds are added at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// A device exists, with these properties.
    Device(DeviceRecord),
    /// A device does not exist any more.
    DeviceRemoved(DeviceId),
    /// A setting of the branch has this value (JSON), e.g. `time_zone`.
    Setting {
        /// Its name.
        key: String,
        /// Its value as JSON text.
        value: String,
    },
    /// A setting is back at its default.
    SettingRemoved(String),
    /// A public key of the cloud counts from now on.
    CloudKey(CloudKey),
    /// A public key of the cloud counts no more.
    CloudKeyRemoved(u16),
    /// An item of the roster (members, credentials, staff), by kind and id.
    Roster {
        /// What it is about.
        kind: u8,
        /// Which one.
        id: [u8; 16],
        /// Its content; empty when it is gone.
        #[serde(with = "bytes")]
        item: Vec<u8>,
    },
}

/// A device of the branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// Which device.
    pub id: DeviceId,
    /// Its short name.
    pub code: Code,
    /// What it is.
    pub kind: DeviceKind,
    /// Shown to people.
    pub name: String,
    /// SHA-256 of its secret; nobody can log in as it while there is none.
    pub secret_sha256: Option<[u8; 32]>,
    /// The bridge that may speak for it.
    pub bridge: Option<DeviceId>,
    /// For observers: the topics it may read, as filters.
    pub topics: Vec<String>,
    /// May log in.
    pub enabled: bool,
}

/// A public Ed25519 key of the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudKey {
    /// Its number.
    pub key_id: u16,
    /// The key.
    pub public: [u8; 32],
}

impl Changes {
    /// Encodes and signs.
    pub fn sign(&self, key_id: u16, key: &SigningKey) -> Vec<u8> {
        let versioned = wire::encode(CHANGES_VERSION, self);
        let packed = wire::deflate(&versioned[1..], 3);
        let signature = key.sign(&signed_bytes(CHANGES_VERSION, key_id, &packed));
        let mut message = vec![CHANGES_VERSION];
        message.extend_from_slice(&key_id.to_le_bytes());
        message.extend_from_slice(&signature.to_bytes());
        message.extend_from_slice(&packed);
        message
    }

    /// Verifies with one of `keys`, then decodes.
    pub fn verify(message: &[u8], keys: &[CloudKey]) -> Result<Self, WireError> {
        let version = *message.first().ok_or(WireError::Empty)?;
        if version != CHANGES_VERSION {
            return Err(WireError::Version(version));
        }
        let (Some(key_id), Some(signature), Some(packed)) =
            (message.get(KEY_ID), message.get(SIGNATURE), message.get(SIGNATURE.end..))
        else {
            return Err(WireError::Malformed("shorter than its signature".to_owned()));
        };
        let key_id = u16::from_le_bytes([key_id[0], key_id[1]]);
        let signature = Signature::from_slice(signature).map_err(|_| WireError::Signature)?;
        let key = keys.iter().find(|key| key.key_id == key_id).ok_or(WireError::Signature)?;
        VerifyingKey::from_bytes(&key.public)
            .and_then(|key| key.verify_strict(&signed_bytes(version, key_id, packed), &signature))
            .map_err(|_| WireError::Signature)?;
        let mut plain = vec![version];
        plain.extend(wire::inflate(packed, MAX_CHANGES_BYTES)?);
        wire::decode(CHANGES_VERSION, &plain)
    }
}

/// What the signature covers, with a prefix so that it can be mistaken for no other signature of that key.
fn signed_bytes(version: u8, key_id: u16, packed: &[u8]) -> Vec<u8> {
    [b"gymwire-changes-v1".as_slice(), &[version], &key_id.to_le_bytes(), packed].concat()
}
