//! Members, their memberships and credentials, and what is a valid one.

use super::window::AccessWindow;
use crate::domains::accounts::Email;
use crate::ids::{BranchId, CredentialId, MemberId, MembershipId, OrganizationId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;

time::serde::format_description!(pub day, Date, "[year]-[month]-[day]");

/// Somebody who trains, with or without an account.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Member {
    pub id: MemberId,
    pub organization_id: OrganizationId,
    /// Short number, unique in this cloud and never given again.
    #[schema(minimum = 1, example = 1042)]
    pub member_no: i64,
    /// What the operator's own books call them.
    #[schema(example = "K-20481")]
    pub reference: Option<String>,
    /// Shown at the door and to staff.
    #[schema(example = "Ada L.")]
    pub display_name: String,
    /// Lower case.
    #[schema(example = "ada@example.com")]
    pub email: Option<String>,
    #[schema(inline)]
    pub source: Source,
    /// Why they may not come in, as a code; null if they may.
    #[schema(example = "payment")]
    pub blocked_reason: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// What makes a member.
#[derive(Debug, Clone)]
pub struct NewMember {
    pub display_name: DisplayName,
    pub reference: Option<Reference>,
    pub email: Option<Email>,
    pub source: Source,
}

/// Where something about a member comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Source {
    /// Made by staff.
    Desk,
    /// Read from a file.
    Import,
    /// Made by the member.
    App,
    /// Invented.
    Demo,
}

/// A right to use branches.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Membership {
    pub id: MembershipId,
    pub member_id: MemberId,
    /// Where it counts; null is all branches of the organization, those of later too.
    pub branch_ids: Option<Vec<BranchId>>,
    /// First day, by the calendar of the branch.
    #[serde(with = "day")]
    pub valid_from: Date,
    /// Last day; null is without end.
    #[serde(with = "day::option")]
    pub valid_until: Option<Date>,
    /// When it counts; empty is always.
    pub windows: Vec<AccessWindow>,
    /// Why it is paused, as a code; null if it is not.
    #[schema(example = "illness")]
    pub frozen_reason: Option<String>,
    #[schema(inline)]
    pub source: Source,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// What makes a membership.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// None is all branches of the organization.
    pub branches: Option<Vec<BranchId>>,
    pub valid_from: Date,
    pub valid_until: Option<Date>,
    pub windows: Vec<AccessWindow>,
}

/// A card or a phone. What identifies it is not shown.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Credential {
    pub id: CredentialId,
    pub member_id: MemberId,
    #[schema(inline)]
    pub kind: CredentialKind,
    /// What staff call it.
    #[schema(example = "blue wristband")]
    pub label: Option<String>,
    /// Off, it is known but opens nothing.
    pub enabled: bool,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// What kind of credential it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[derive(clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A card of which only the number is read.
    NfcUid,
    /// An NTAG 424 DNA, which proves itself.
    Sun,
    /// A phone with a key of its own.
    Phone,
}

/// What a card or phone is known by.
#[derive(Clone)]
pub enum Proof {
    /// A card of which only the number is read.
    NfcUid(Uid),
    /// An NTAG 424 DNA.
    Sun(Uid),
    /// A phone.
    Phone(PhoneKey),
}

/// The number of a card: 4, 7 or 10 bytes. It opens doors, so it is shown nowhere.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Uid(Vec<u8>);

/// A P-256 public key, SEC1, compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneKey([u8; 33]);

/// A name that fits its column and shows as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

/// What the operator's own books call a member: 1 to 64 printable characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference(String);

/// Why somebody is kept out, as a code that branches are told: `[a-z0-9_]{1,40}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

/// What becomes of something that may be there or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Replace<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is there no more.
    Clear,
    With(T),
}

/// A text that is not what it should be; says what that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotValid(pub &'static str);

impl<T> Replace<T> {
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::Keep)
    }

    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Keep | Self::Clear => None,
            Self::With(value) => Some(value),
        }
    }
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Self::Desk => "desk",
            Self::Import => "import",
            Self::App => "app",
            Self::Demo => "demo",
        }
    }
}

impl CredentialKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::NfcUid => "nfc_uid",
            Self::Sun => "sun",
            Self::Phone => "phone",
        }
    }
}

impl Proof {
    pub fn kind(&self) -> CredentialKind {
        match self {
            Self::NfcUid(_) => CredentialKind::NfcUid,
            Self::Sun(_) => CredentialKind::Sun,
            Self::Phone(_) => CredentialKind::Phone,
        }
    }

    /// What of a card is kept. `key` is the organization's credential key.
    pub fn uid_hash(&self, key: &[u8; 32]) -> Option<[u8; 32]> {
        match self {
            Self::NfcUid(uid) | Self::Sun(uid) => Some(uid.hash(key)),
            Self::Phone(_) => None,
        }
    }

    pub fn public_key(&self) -> Option<&[u8]> {
        match self {
            Self::NfcUid(_) | Self::Sun(_) => None,
            Self::Phone(key) => Some(&key.0),
        }
    }
}

impl Uid {
    pub fn hash(&self, key: &[u8; 32]) -> [u8; 32] {
        protocol::credential::uid_hash(key, &self.0)
    }
}

impl FromStr for Uid {
    type Err = NotValid;

    /// Hexadecimal digits, as readers show them with or without colons, spaces or dashes.
    fn from_str(text: &str) -> Result<Self, NotValid> {
        let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect();
        let bytes = hex::decode(digits).map_err(|_| NotValid("is not hexadecimal"))?;
        if !matches!(bytes.len(), 4 | 7 | 10) {
            return Err(NotValid("must have 4, 7 or 10 bytes"));
        }
        // ISO/IEC 14443-3: a phone makes such a number up at each presentation.
        if bytes.len() == 4 && bytes[0] == 0x08 {
            return Err(NotValid("is random (4 bytes that begin with 08): it identifies nobody"));
        }
        Ok(Self(bytes))
    }
}

impl FromStr for PhoneKey {
    type Err = NotValid;

    /// Hexadecimal digits of 33 (compressed) or 65 bytes.
    fn from_str(text: &str) -> Result<Self, NotValid> {
        const WRONG: NotValid = NotValid("is not the hex text of a P-256 public key (SEC1)");
        let bytes = hex::decode(text.trim()).map_err(|_| WRONG)?;
        let key = p256::PublicKey::from_sec1_bytes(&bytes).map_err(|_| WRONG)?;
        let point = p256::EncodedPoint::from(p256::AffinePoint::from(key)).compress();
        Ok(Self(point.as_bytes().try_into().map_err(|_| WRONG)?))
    }
}

impl FromStr for DisplayName {
    type Err = NotValid;

    fn from_str(text: &str) -> Result<Self, NotValid> {
        let text = text.trim();
        let is_plain = !text.chars().any(char::is_control);
        if is_plain && (1..=100).contains(&text.chars().count()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotValid("must have 1 to 100 characters, none of them a control character"))
        }
    }
}

impl FromStr for Reference {
    type Err = NotValid;

    fn from_str(text: &str) -> Result<Self, NotValid> {
        let text = text.trim();
        let is_plain = !text.chars().any(char::is_control);
        if is_plain && (1..=64).contains(&text.chars().count()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotValid("must have 1 to 64 characters, none of them a control character"))
        }
    }
}

impl FromStr for Reason {
    type Err = NotValid;

    fn from_str(text: &str) -> Result<Self, NotValid> {
        let is_code = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if (1..=40).contains(&text.len()) && text.bytes().all(is_code) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotValid("must be a code of 1 to 40 characters out of a-z, 0-9 and _"))
        }
    }
}

macro_rules! text {
    ($($name:ident),+) => {$(
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )+};
}

text!(DisplayName, Reference, Reason);

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[card number]")
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proof({})", self.kind().name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_read_in_every_usual_notation() {
        let plain: Uid = "04de5f1eacc040".parse().unwrap();

        for text in ["04:DE:5F:1E:AC:C0:40", "04 DE 5F 1E AC C0 40", "04-de-5f-1e-ac-c0-40"] {
            assert_eq!(text.parse::<Uid>().unwrap(), plain);
        }
    }

    #[test]
    fn what_cannot_be_a_card_number_is_refused() {
        for text in ["", "04", "0408150", "08a1b2c3", "xyz", "04de5f1eacc04001"] {
            assert!(text.parse::<Uid>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_card_number_does_not_show() {
        let proof = Proof::NfcUid("04de5f1eacc040".parse().unwrap());

        assert_eq!(format!("{proof:?}"), "Proof(nfc_uid)");
    }

    #[test]
    fn a_phone_key_is_kept_in_its_short_form() {
        let secret = p256::SecretKey::from_slice(&[7; 32]).unwrap();
        let point = p256::EncodedPoint::from(p256::AffinePoint::from(secret.public_key()));

        let long: PhoneKey = hex::encode(point.as_bytes()).parse().unwrap();

        let short: PhoneKey = hex::encode(point.compress().as_bytes()).parse().unwrap();
        assert!(long == short);
        let beyond_the_field = format!("02{}", "ff".repeat(32));
        assert!(beyond_the_field.parse::<PhoneKey>().is_err());
    }

    #[test]
    fn a_reason_is_a_code_and_no_prose() {
        assert!("payment_due".parse::<Reason>().is_ok());
        assert!("Has not paid!".parse::<Reason>().is_err());
    }
}
