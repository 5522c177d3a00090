//! What staff changed at the branch and the cloud, which is the master of it, has not told back yet: it counts at once,
//! and as long as the roster says otherwise. And which machines they locked.

use crate::access::View;
use protocol::ids::{CredentialId, DeviceId, MemberId};
use protocol::sync::roster::{CredentialKind, Member};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Beyond, the branch must be told by the cloud first.
const MAX_CHANGES: usize = 10_000;
const BLOCK: u8 = 11;
const CARD: u8 = 12;
const LOCKED: u8 = 13;

/// The changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Local {
    /// Locked out here with a reason, or let in again.
    blocks: BTreeMap<MemberId, Option<String>>,
    cards: BTreeMap<CredentialId, LocalCard>,
    locked: BTreeSet<DeviceId>,
}

/// A card that was given to a member at the branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalCard {
    pub member: MemberId,
    pub kind: CredentialKind,
}

/// One row of the journal's table.
pub type LocalRow = (u8, [u8; 16], Vec<u8>);

impl Local {
    /// Whether another change finds a place.
    pub fn has_room(&self) -> bool {
        self.blocks.len() + self.cards.len() < MAX_CHANGES
    }

    /// Whether the cloud has told back everything.
    pub fn is_settled(&self) -> bool {
        self.blocks.is_empty() && self.cards.is_empty()
    }

    /// Staff have locked a member out, or (without a reason) let them in again.
    pub fn block(&mut self, member: MemberId, reason: Option<String>) {
        self.blocks.insert(member, reason);
    }

    /// Staff have given a member a card.
    pub fn enrol(&mut self, credential: CredentialId, card: LocalCard) {
        self.cards.insert(credential, card);
    }

    /// The card with this hash, if it was given out here.
    pub fn card(&self, hash: &[u8; 32]) -> Option<(CredentialId, &LocalCard)> {
        let of_hash = |card: &LocalCard| hash_of(&card.kind) == Some(hash);
        self.cards.iter().find(|(_, card)| of_hash(card)).map(|(id, card)| (*id, card))
    }

    /// Puts into a member what staff have changed.
    pub fn amend(&self, member: &mut Member) {
        if let Some(blocked) = self.blocks.get(&member.id) {
            member.blocked.clone_from(blocked);
        }
    }

    /// Locks a machine, or unlocks it.
    pub fn lock(&mut self, machine: DeviceId, is_locked: bool) {
        if is_locked {
            self.locked.insert(machine);
        } else {
            self.locked.remove(&machine);
        }
    }

    /// Whether staff have locked a machine.
    pub fn is_locked(&self, machine: DeviceId) -> bool {
        self.locked.contains(&machine)
    }

    /// Forgets what the roster says as well by now; whether there was such a thing.
    pub fn settle(&mut self, roster: &View) -> bool {
        let before = self.blocks.len() + self.cards.len();
        self.blocks.retain(|member, reason| {
            let told = roster.member(*member).map(|member| member.blocked.is_some());
            told.is_some_and(|is_blocked| is_blocked != reason.is_some())
        });
        self.cards.retain(|credential, _| !roster.knows(*credential));
        before > self.blocks.len() + self.cards.len()
    }

    /// All rows.
    pub fn rows(&self) -> BTreeMap<(u8, [u8; 16]), Vec<u8>> {
        let blocks = self.blocks.iter().map(|(id, reason)| row(BLOCK, id.0, reason));
        let cards = self.cards.iter().map(|(id, card)| row(CARD, id.0, card));
        let locked = self.locked.iter().map(|id| row(LOCKED, id.0, &()));
        blocks.chain(cards).chain(locked).map(|(kind, id, value)| ((kind, id), value)).collect()
    }

    /// Takes over a row; whether it is one of these.
    pub fn take_row(&mut self, kind: u8, id: [u8; 16], value: &[u8]) -> bool {
        let id = Uuid::from_bytes(id);
        let Some((&VERSION, value)) = value.split_first() else { return false };
        match kind {
            BLOCK => postcard::from_bytes(value)
                .map(|reason| self.blocks.insert(MemberId(id), reason))
                .is_ok(),
            CARD => postcard::from_bytes(value)
                .map(|card| self.cards.insert(CredentialId(id), card))
                .is_ok(),
            LOCKED => {
                self.locked.insert(DeviceId(id));
                true
            }
            _ => false,
        }
    }
}

const VERSION: u8 = 1;

fn row(kind: u8, id: Uuid, value: &impl Serialize) -> LocalRow {
    let mut bytes = vec![VERSION];
    // Plain data in memory always encodes.
    bytes.extend(postcard::to_allocvec(value).unwrap_or_default());
    (kind, id.into_bytes(), bytes)
}

fn hash_of(kind: &CredentialKind) -> Option<&[u8; 32]> {
    match kind {
        CredentialKind::NfcUid { uid_hash } | CredentialKind::Sun { uid_hash } => Some(uid_hash),
        CredentialKind::Phone { .. } => None,
    }
}
