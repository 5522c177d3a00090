//! What staff do on the page of their branch: kept for the audit, and taken over by the cloud where it is the master.

use super::roster::CredentialKind;
use crate::ids::{CredentialId, DeviceId, MemberId, UserId};
use serde::{Deserialize, Serialize};

/// Who did what, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffAct {
    /// Their account, if it is one that the cloud knows.
    pub staff: Option<UserId>,
    /// What they are called; at most 200 characters.
    pub name: String,
    /// What they did.
    pub act: Act,
    /// Why, in their own words; at most 500 characters.
    pub reason: Option<String>,
}

/// What staff did. What it changed about stays and links is a deed in the same commit. New kinds are added at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names of the fields say it")]
pub enum Act {
    /// Let a member in by hand.
    CheckIn { member: MemberId },
    /// Ended a member's stay.
    CheckOut { member: MemberId },
    /// Lent a machine.
    Link { member: MemberId, machine: DeviceId },
    /// Took a machine back.
    Unlink { machine: DeviceId },
    /// Put a member into the queue of a machine.
    Enqueue { member: MemberId, machine: DeviceId },
    /// Took a member out of the queue of a machine.
    Dequeue { member: MemberId, machine: DeviceId },
    /// Opened a door.
    OpenDoor { reader: DeviceId },
    /// Locked a machine's console.
    LockMachine { machine: DeviceId },
    /// Unlocked it.
    UnlockMachine { machine: DeviceId },
    /// Put a machine out of use, or back into use.
    OutOfOrder { machine: DeviceId, is_out: bool },
    /// Wrote down what was found or done at a machine.
    Maintenance { machine: DeviceId },
    /// Gave a member the card that was presented; the cloud adopts the credential with this id.
    EnrolCard { member: MemberId, credential: CredentialId, kind: CredentialKind },
    /// Locked a member out; the cloud takes it over.
    BlockMember { member: MemberId },
    /// Let a member in again; the cloud takes it over.
    UnblockMember { member: MemberId },
    /// Something about the branch's devices, certificates or accounts.
    Other {
        /// What, as a code, e.g. `device_rotate`.
        what: String,
        /// About which, e.g. the code of a device; may be empty.
        subject: String,
    },
}
