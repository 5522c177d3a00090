//! The roster: who may come in, with what and where, and who works there. A branch holds all members of its
//! organization, so that it can tell a member of another branch from a stranger.
//!
//! An item travels as [`Change::Roster`]: `kind`, `id`, and `item` = version byte, then postcard of the struct
//! that `kind` names; an empty `item` means that it is gone.

use super::changes::Change;
use super::wire::{self, WireError};
use crate::ids::{CredentialId, DeviceId, MemberId, UserId};
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// The newest version of an item's encoding.
pub const ROSTER_VERSION: u8 = 1;
/// An encoded item is at most this long.
pub const MAX_ROSTER_ITEM_BYTES: usize = 16 * 1024;

/// What an item of the roster is about. The number is the `kind` of [`Change::Roster`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RosterKind {
    /// A [`Member`].
    Member = 1,
    /// A [`CredentialRecord`].
    Credential = 2,
    /// A [`StaffRecord`].
    Staff = 3,
    /// A [`ReaderRecord`].
    Reader = 4,
}

/// Why an item cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// A kind that a later version may know: to be kept, and not used.
    #[error("kind {0} of the roster is not known")]
    UnknownKind(u8),
    /// The bytes are no such item.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// One thing the roster holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RosterItem {
    /// A person who trains.
    Member(Member),
    /// A card or the key of a phone.
    Credential(CredentialRecord),
    /// Somebody who works there.
    Staff(StaffRecord),
    /// Where a reader is.
    Reader(ReaderRecord),
}

/// A person who trains in the branches of the organization.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Which member.
    pub id: MemberId,
    /// The short number that codes and phones carry; unique in the cloud.
    pub member_no: u64,
    /// What to greet them with.
    pub display_name: String,
    /// Why they are locked out, as a code; none if they are not.
    pub blocked: Option<String>,
    /// Their rights, past and future ones too.
    pub memberships: Vec<Membership>,
}

/// A right to use branches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Whether it counts in the branch that is told.
    pub here: bool,
    /// Unix milliseconds from which it counts.
    pub valid_from_ms: i64,
    /// Unix milliseconds at which it ends (the first moment without it); none if it is open-ended.
    pub valid_until_ms: Option<i64>,
    /// Paused: it does not count although it is in force.
    pub frozen: bool,
    /// When it counts; empty means always.
    pub windows: Vec<AccessWindow>,
}

/// A span of the local day in which a membership counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccessWindow {
    /// The days on which it begins: bit 0 is Monday, bit 6 Sunday.
    pub days: u8,
    /// The minute of the local day (0–1439) at which it begins.
    pub from_min: u16,
    /// The minute of the local day (0–1440) at which it ends, itself outside. Not later than `from_min`: it ends
    /// on the day after; equal to it: after a whole day.
    pub until_min: u16,
}

/// A card or the key of a phone, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialRecord {
    /// Which credential.
    pub id: CredentialId,
    /// Whose.
    pub member: MemberId,
    /// What identifies it.
    pub kind: CredentialKind,
    /// Counts; a lost card does not.
    pub enabled: bool,
}

/// What identifies a credential. New kinds are added at the end.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CredentialKind {
    /// A card that only has a serial number.
    NfcUid {
        /// [`crate::credential::uid_hash`] of the number.
        uid_hash: [u8; 32],
    },
    /// An NTAG 424 DNA; its serial number alone opens nothing.
    Sun {
        /// [`crate::credential::uid_hash`] of the number.
        uid_hash: [u8; 32],
    },
    /// A phone that answers challenges.
    Phone {
        /// Its P-256 key as 33 bytes (SEC1, compressed).
        public_key: Vec<u8>,
    },
}

/// Somebody who works in the branch.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffRecord {
    /// Which account.
    pub id: UserId,
    /// Shown to colleagues.
    pub name: String,
    /// What they may do, e.g. `staff` or `admin`.
    pub role: String,
    /// May sign in.
    pub enabled: bool,
}

/// What a reader is for. A reader that nothing is told of is at a door for both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReaderRecord {
    /// Which reader.
    pub id: DeviceId,
    /// Where it is.
    pub place: ReaderPlace,
}

/// Where a reader is. New places are added at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReaderPlace {
    /// At a door for both ways.
    #[default]
    Door,
    /// At a door or gate that only leads in.
    Entry,
    /// At a door or gate that only leads out.
    Exit,
    /// On this machine.
    Machine(DeviceId),
}

impl RosterKind {
    /// The kind with this number.
    pub fn of(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Member),
            2 => Some(Self::Credential),
            3 => Some(Self::Staff),
            4 => Some(Self::Reader),
            _ => None,
        }
    }

    /// Its number on the wire.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Says that an item is gone.
    pub fn removed(self, id: Uuid) -> Change {
        Change::Roster { kind: self.number(), id: id.into_bytes(), item: Vec::new() }
    }
}

impl RosterItem {
    /// What it is about.
    pub fn kind(&self) -> RosterKind {
        match self {
            Self::Member(_) => RosterKind::Member,
            Self::Credential(_) => RosterKind::Credential,
            Self::Staff(_) => RosterKind::Staff,
            Self::Reader(_) => RosterKind::Reader,
        }
    }

    /// Which one.
    pub fn id(&self) -> Uuid {
        match self {
            Self::Member(member) => member.id.0,
            Self::Credential(credential) => credential.id.0,
            Self::Staff(staff) => staff.id.0,
            Self::Reader(reader) => reader.id.0,
        }
    }

    /// `version || postcard`.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Member(member) => wire::encode(ROSTER_VERSION, member),
            Self::Credential(credential) => wire::encode(ROSTER_VERSION, credential),
            Self::Staff(staff) => wire::encode(ROSTER_VERSION, staff),
            Self::Reader(reader) => wire::encode(ROSTER_VERSION, reader),
        }
    }

    /// The inverse of [`RosterItem::encode`], for the kind with number `kind`.
    pub fn decode(kind: u8, item: &[u8]) -> Result<Self, RosterError> {
        let kind = RosterKind::of(kind).ok_or(RosterError::UnknownKind(kind))?;
        if item.len() > MAX_ROSTER_ITEM_BYTES {
            return Err(WireError::TooLarge { limit: MAX_ROSTER_ITEM_BYTES }.into());
        }
        Ok(match kind {
            RosterKind::Member => Self::Member(wire::decode(ROSTER_VERSION, item)?),
            RosterKind::Credential => Self::Credential(wire::decode(ROSTER_VERSION, item)?),
            RosterKind::Staff => Self::Staff(wire::decode(ROSTER_VERSION, item)?),
            RosterKind::Reader => Self::Reader(wire::decode(ROSTER_VERSION, item)?),
        })
    }

    /// Says that the item is now so.
    pub fn change(&self) -> Change {
        Change::Roster {
            kind: self.kind().number(),
            id: self.id().into_bytes(),
            item: self.encode(),
        }
    }
}

/// Only the id: names and rights of members do not belong in a log.
impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member({})", self.id)
    }
}

/// Only the kind: hashes find people.
impl fmt::Debug for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NfcUid { .. } => "NfcUid",
            Self::Sun { .. } => "Sun",
            Self::Phone { .. } => "Phone",
        })
    }
}

/// Only id and role: names do not belong in a log.
impl fmt::Debug for StaffRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StaffRecord({}, {})", self.id, self.role)
    }
}
