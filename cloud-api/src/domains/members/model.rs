//! Members, their memberships and credentials, and what is a valid one.

use super::value::{DisplayName, PhoneKey, Reference, Uid};
use super::window::AccessWindow;
use crate::domains::accounts::{Email, plain_text};
use crate::http::{Place, Result, parse, parse_optional};
use crate::ids::{BranchId, CredentialId, MemberId, MembershipId, OrganizationId, UserId};
use garde::Validate;
use serde::{Deserialize, Serialize};
use std::fmt;
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
    /// The account that they use, if they have one.
    pub user_id: Option<UserId>,
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

/// What a member is called, as staff write it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct MemberDetails {
    /// Shown at the door and to staff.
    #[garde(length(chars, min = 1, max = 100), custom(plain_text))]
    #[schema(min_length = 1, max_length = 100, example = "Ada L.")]
    pub display_name: String,
    /// What the operator's own books call them; unique.
    #[garde(length(chars, min = 1, max = 64), inner(custom(plain_text)))]
    #[schema(min_length = 1, max_length = 64, example = "K-20481")]
    pub reference: Option<String>,
    /// Nobody needs one.
    #[garde(length(chars, min = 3, max = 254))]
    #[schema(min_length = 3, max_length = 254, example = "ada@example.com")]
    pub email: Option<String>,
}

/// Why somebody is kept out, or a right is paused.
#[derive(Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// A code out of a-z, 0-9 and `_`, no prose: doors show it.
    #[garde(length(bytes, min = 1, max = 40))]
    #[schema(min_length = 1, max_length = 40, pattern = "^[a-z0-9_]{1,40}$", example = "payment")]
    pub reason: String,
}

/// The order of a list of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
pub enum Sort {
    #[default]
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDown,
    #[serde(rename = "number")]
    Number,
    #[serde(rename = "-number")]
    NumberDown,
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
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Where it counts; left out, in all branches of the organization, those of later too.
    #[garde(skip)]
    #[serde(rename = "branch_ids")]
    pub branches: Option<Vec<BranchId>>,
    /// First day, by the calendar of the branch.
    #[garde(skip)]
    #[serde(with = "day")]
    #[schema(value_type = String, format = Date, example = "2026-01-01")]
    pub valid_from: Date,
    /// Last day; left out, it has no end.
    #[garde(skip)]
    #[serde(default, with = "day::option")]
    #[schema(value_type = Option<String>, format = Date, example = "2026-12-31")]
    pub valid_until: Option<Date>,
    /// When it counts; without any, always.
    #[garde(length(max = 28), dive)]
    #[serde(default)]
    #[schema(max_items = 28, required = false)]
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

impl Default for MemberDetails {
    /// With a name, which nobody is without.
    fn default() -> Self {
        Self { display_name: "-".to_owned(), reference: None, email: None }
    }
}

impl MemberDetails {
    pub fn of(member: &Member) -> Self {
        Self {
            display_name: member.display_name.clone(),
            reference: member.reference.clone(),
            email: member.email.clone(),
        }
    }

    /// With the rules of its parts checked.
    pub fn with_types(&self, source: Source) -> Result<NewMember> {
        Ok(NewMember {
            display_name: parse("display_name", &self.display_name)?,
            reference: parse_optional("reference", self.reference.as_deref())?,
            email: parse_optional("email", self.email.as_deref())?,
            source,
        })
    }
}

impl Sort {
    pub fn is_by_number(self) -> bool {
        matches!(self, Self::Number | Self::NumberDown)
    }

    pub fn is_down(self) -> bool {
        matches!(self, Self::NameDown | Self::NumberDown)
    }

    /// A member's place in this order.
    pub fn place(self, member: &Member) -> Place {
        let key = if self.is_by_number() {
            format!("{:020}", member.member_no)
        } else {
            member.display_name.to_lowercase()
        };
        Place { key, id: member.id.0 }
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
            Self::Phone(key) => Some(key.as_bytes()),
        }
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
    fn a_card_number_does_not_show() {
        let proof = Proof::NfcUid("04de5f1eacc040".parse().unwrap());

        assert_eq!(format!("{proof:?}"), "Proof(nfc_uid)");
    }
}
