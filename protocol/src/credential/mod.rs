//! What is presented at a reader, and what of it is kept.

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;

pub mod hce;
pub(crate) mod hex_array;
pub mod qr;
pub mod sun;

/// A credential as a reader sees it. In JSON: `kind` and hexadecimal bytes.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Credential {
    /// The serial number of a card: 4, 7 or 10 bytes.
    NfcUid {
        /// The number.
        #[serde(serialize_with = "hex_array::bytes")]
        #[cfg_attr(
            feature = "schema",
            schemars(
                with = "String",
                regex(pattern = r"^([0-9a-fA-F]{8}|[0-9a-fA-F]{14}|[0-9a-fA-F]{20})$")
            )
        )]
        uid: Vec<u8>,
    },
    /// The message of an NTAG 424 DNA.
    Sun {
        /// Encrypted serial number and counter.
        #[serde(serialize_with = "hex_array::bytes")]
        #[cfg_attr(
            feature = "schema",
            schemars(with = "String", regex(pattern = r"^[0-9a-fA-F]{32}$"))
        )]
        picc_data: [u8; 16],
        /// Encrypted file data: 16, 32, 48 or 64 bytes.
        #[serde(
            serialize_with = "hex_array::option_bytes",
            skip_serializing_if = "Option::is_none"
        )]
        #[cfg_attr(
            feature = "schema",
            schemars(with = "Option<String>", regex(pattern = r"^([0-9a-fA-F]{32}){1,4}$"))
        )]
        enc: Option<Vec<u8>>,
        /// What proves it.
        #[serde(serialize_with = "hex_array::bytes")]
        #[cfg_attr(
            feature = "schema",
            schemars(with = "String", regex(pattern = r"^[0-9a-fA-F]{16}$"))
        )]
        cmac: [u8; 8],
    },
    /// A dynamic QR code.
    Qr {
        /// Its text, 1 to 512 printable characters.
        #[cfg_attr(
            feature = "schema",
            schemars(length(min = 1, max = crate::mqtt::payloads::MAX_QR_CHARS))
        )]
        code: String,
    },
    /// The answer of a phone.
    Hce {
        /// What the phone was asked, 16 to 32 bytes.
        #[serde(serialize_with = "hex_array::bytes")]
        #[cfg_attr(
            feature = "schema",
            schemars(with = "String", regex(pattern = r"^([0-9a-fA-F]{2}){16,32}$"))
        )]
        nonce: Vec<u8>,
        /// Who it is, at most 64 bytes.
        #[serde(serialize_with = "hex_array::bytes")]
        #[cfg_attr(
            feature = "schema",
            schemars(with = "String", regex(pattern = r"^([0-9a-fA-F]{2}){1,64}$"))
        )]
        token: Vec<u8>,
        /// What proves it, at most 80 bytes.
        #[serde(serialize_with = "hex_array::bytes")]
        #[cfg_attr(
            feature = "schema",
            schemars(with = "String", regex(pattern = r"^([0-9a-fA-F]{2}){1,80}$"))
        )]
        signature: Vec<u8>,
    },
}

/// A credential as it is kept: a card's number only as a keyed hash, since the number alone opens doors.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoredCredential {
    /// The serial number of a card.
    NfcUid {
        /// HMAC-SHA256 of the number under the organization's credential key.
        uid_hash: [u8; 32],
    },
    /// The message of an NTAG 424 DNA; good for one tap only.
    Sun {
        /// Encrypted serial number and counter.
        picc_data: [u8; 16],
        /// Encrypted file data.
        enc: Option<Vec<u8>>,
        /// What proves it.
        cmac: [u8; 8],
    },
    /// A dynamic QR code; good for seconds only.
    Qr {
        /// Its text.
        code: String,
    },
    /// The answer of a phone; good for one nonce only.
    Hce {
        /// What the phone was asked.
        nonce: Vec<u8>,
        /// Who it is.
        token: Vec<u8>,
        /// What proves it.
        signature: Vec<u8>,
    },
}

impl Credential {
    /// What may be kept of it. `key` is the organization's credential key.
    pub fn stored(&self, key: &[u8; 32]) -> StoredCredential {
        match self {
            Self::NfcUid { uid } => StoredCredential::NfcUid { uid_hash: uid_hash(key, uid) },
            Self::Sun { picc_data, enc, cmac } => {
                StoredCredential::Sun { picc_data: *picc_data, enc: enc.clone(), cmac: *cmac }
            }
            Self::Qr { code } => StoredCredential::Qr { code: code.clone() },
            Self::Hce { nonce, token, signature } => StoredCredential::Hce {
                nonce: nonce.clone(),
                token: token.clone(),
                signature: signature.clone(),
            },
        }
    }

    /// The `kind` in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NfcUid { .. } => "nfc_uid",
            Self::Sun { .. } => "sun",
            Self::Qr { .. } => "qr",
            Self::Hce { .. } => "hce",
        }
    }
}

impl StoredCredential {
    /// The `kind` in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NfcUid { .. } => "nfc_uid",
            Self::Sun { .. } => "sun",
            Self::Qr { .. } => "qr",
            Self::Hce { .. } => "hce",
        }
    }
}

/// What a card's number is known as within an organization.
pub fn uid_hash(key: &[u8; 32], uid: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a MAC takes keys of any length");
    mac.update(uid);
    mac.finalize().into_bytes().into()
}

/// Only the kind: what is inside opens doors and does not belong in a log.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.kind())
    }
}

/// Only the kind: what is inside opens doors and does not belong in a log.
impl fmt::Debug for StoredCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredCredential({})", self.kind())
    }
}
