//! What staff changed at the branch and the cloud, which is the master of it, has not told back yet: it counts at once,
//! until the cloud has it and has told the roster since. And which machines they locked.

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
    /// By member or card, how far each is on its way to the cloud; not on disk.
    ways: BTreeMap<Uuid, Way>,
}

/// How far a change is on its way. Until the cloud has it, what the roster says is older than the change; from then on the
/// roster is right as soon as it was told, whatever it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is journaled before this key.
    Before(u64),
    /// The cloud has it; so often the roster had been told by then.
    There(u64),
}

/// One telling may have been on its way before.
const TELLINGS: u64 = 2;

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
        self.ways.remove(&member.0);
    }

    /// Staff have given a member a card.
    pub fn enrol(&mut self, credential: CredentialId, card: LocalCard) {
        self.cards.insert(credential, card);
        self.ways.remove(&credential.0);
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

    /// From now on another journal file is written to, with keys of its own.
    pub fn moved(&mut self) {
        self.ways.clear();
    }

    /// Everything is journaled before this key.
    pub fn journaled(&mut self, end: u64) {
        let members = self.blocks.keys().map(|member| member.0);
        for id in members.chain(self.cards.keys().map(|card| card.0)) {
            self.ways.entry(id).or_insert(Way::Before(end));
        }
    }

    /// The cloud has what is before this key, and has told the roster so often.
    pub fn sent(&mut self, acked: u64, tellings: u64) {
        for way in self.ways.values_mut() {
            if matches!(way, Way::Before(end) if *end <= acked) {
                *way = Way::There(tellings);
            }
        }
    }

    /// Forgets what the roster is right about by now; whether there was such a thing.
    pub fn settle(&mut self, roster: &View, tellings: u64) -> bool {
        let before = self.blocks.len() + self.cards.len();
        let ways = &self.ways;
        let counts = |id: Uuid, is_told: bool| match ways.get(&id) {
            Some(Way::There(then)) => !is_told && tellings < then + TELLINGS,
            _ => true,
        };
        self.blocks.retain(|member, reason| {
            let told = roster.member(*member).map(|member| member.blocked.is_some());
            counts(member.0, told == Some(reason.is_some()))
        });
        self.cards.retain(|card, _| counts(card.0, roster.knows(*card)));
        let (blocks, cards) = (&self.blocks, &self.cards);
        self.ways.retain(|id, _| {
            blocks.contains_key(&MemberId(*id)) || cards.contains_key(&CredentialId(*id))
        });
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

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::sync::roster::RosterItem;

    const ADA: MemberId = MemberId(Uuid::from_u128(1));

    /// A roster in which she is blocked or not.
    fn roster(is_blocked: bool) -> View {
        let member = Member {
            id: ADA,
            member_no: 1,
            display_name: "Ada".to_owned(),
            blocked: is_blocked.then(|| "payment".to_owned()),
            memberships: Vec::new(),
        };
        let item = RosterItem::Member(member);
        let mut view = View::default();
        view.apply(item.kind().number(), item.id().into_bytes(), &item.encode());
        view
    }

    fn is_blocked(local: &Local, roster: &View) -> bool {
        let mut member = roster.member(ADA).unwrap();
        local.amend(&mut member);
        member.blocked.is_some()
    }

    fn let_in() -> Local {
        let mut local = Local::default();
        local.block(ADA, None);
        local.journaled(10);
        local
    }

    #[test]
    fn what_the_cloud_has_not_got_counts_whatever_the_roster_says() {
        let mut local = let_in();

        // She is not blocked yet: the block that staff took back is still on its way to the cloud.
        local.settle(&roster(false), 100);

        assert!(!is_blocked(&local, &roster(true)));
    }

    #[test]
    fn what_the_cloud_has_and_tells_is_forgotten() {
        let mut local = let_in();
        local.sent(10, 5);

        assert!(local.settle(&roster(false), 5));
        assert!(local.is_settled());
    }

    /// Staff let her in, the cloud took that over, and blocked her again before the branch asked.
    #[test]
    fn what_the_cloud_has_and_sees_otherwise_is_as_the_cloud_says() {
        let mut local = let_in();
        local.sent(9, 5);
        local.settle(&roster(true), 50);
        assert!(!is_blocked(&local, &roster(true)), "not there yet");

        local.sent(10, 50);
        local.settle(&roster(true), 51);
        assert!(!is_blocked(&local, &roster(true)), "that may have been told before");
        local.settle(&roster(true), 52);

        assert!(is_blocked(&local, &roster(true)));
    }

    #[test]
    fn a_second_change_of_mind_is_on_its_way_anew() {
        let mut local = let_in();
        local.sent(10, 5);
        local.block(ADA, Some("fight".to_owned()));
        local.journaled(20);

        local.sent(19, 6);
        local.settle(&roster(false), 60);

        assert!(is_blocked(&local, &roster(false)));
    }
}
