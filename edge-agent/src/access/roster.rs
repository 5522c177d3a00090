//! Who may come in, in memory, as taps need it: cards by their hash, phones by their member's number. It follows
//! `branch.db`; members are kept as they are encoded there, since 50 000 of them have to fit.

use super::roster_cards::{Cards, Held};
use protocol::ids::{CredentialId, DeviceId, MemberId};
use protocol::sync::roster::{
    CredentialKind, CredentialRecord, Member, ReaderPlace, RosterItem, RosterKind,
};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use uuid::Uuid;

/// Handle to the roster; clones share it. Whoever reads holds off changes, so reading must be short.
#[derive(Debug, Clone)]
pub struct Roster(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    view: RwLock<View>,
    confirmed_ms: AtomicI64,
    tellings: AtomicU64,
}

const NEVER: i64 = i64::MIN;

impl Default for Roster {
    fn default() -> Self {
        let (view, confirmed_ms) = (RwLock::default(), AtomicI64::new(NEVER));
        Self(Arc::new(Shared { view, confirmed_ms, tellings: AtomicU64::new(0) }))
    }
}

impl Roster {
    /// The roster as it is now.
    pub fn read(&self) -> RwLockReadGuard<'_, View> {
        self.0.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over single changes.
    pub fn apply<'a>(&self, items: impl Iterator<Item = (u8, [u8; 16], &'a [u8])>) {
        let mut view = self.write();
        for (kind, id, item) in items {
            view.apply(kind, id, item);
        }
    }

    /// Takes over a roster that was built aside. Taps see the old one or the new one, whole.
    pub fn replace(&self, view: View) {
        let old = std::mem::replace(&mut *self.write(), view);
        // Its 50 000 members are freed after the lock.
        drop(old);
    }

    /// When the cloud last said that this is all there is; Unix milliseconds.
    pub fn confirmed_ms(&self) -> Option<i64> {
        Some(self.0.confirmed_ms.load(Relaxed)).filter(|&ms| ms != NEVER)
    }

    /// The cloud has said so. The former moment.
    pub fn confirm(&self, now_ms: i64) -> Option<i64> {
        self.0.tellings.fetch_add(1, Relaxed);
        Some(self.0.confirmed_ms.swap(now_ms, Relaxed)).filter(|&ms| ms != NEVER)
    }

    /// How often the cloud has said so since the start.
    pub fn tellings(&self) -> u64 {
        self.0.tellings.load(Relaxed)
    }

    fn write(&self) -> RwLockWriteGuard<'_, View> {
        self.0.view.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the roster says.
#[derive(Default)]
pub struct View {
    members: HashMap<MemberId, Box<[u8]>>,
    by_number: HashMap<u64, MemberId>,
    cards: Cards,
    phones: HashMap<MemberId, Vec<Phone>>,
    /// Where each credential is, to find it when it changes.
    places: HashMap<CredentialId, Place>,
    places_of_readers: HashMap<DeviceId, ReaderPlace>,
}

/// A phone of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    /// Which credential it is.
    pub credential: CredentialId,
    /// Its P-256 key, SEC1.
    pub public_key: Box<[u8]>,
    /// Counts.
    pub is_enabled: bool,
}

enum Place {
    Card([u8; 32]),
    Phone(MemberId),
}

impl View {
    /// Nobody is known at all.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How many members there are.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// A member.
    pub fn member(&self, id: MemberId) -> Option<Member> {
        match RosterItem::decode(RosterKind::Member.number(), self.members.get(&id)?) {
            Ok(RosterItem::Member(member)) => Some(member),
            _ => None,
        }
    }

    /// The member with this number.
    pub fn by_number(&self, member_no: u64) -> Option<MemberId> {
        self.by_number.get(&member_no).copied()
    }

    /// The card with this hash.
    pub fn card(&self, uid_hash: &[u8; 32]) -> Option<Held> {
        self.cards.find(uid_hash)
    }

    /// The phones of a member.
    pub fn phones(&self, member: MemberId) -> &[Phone] {
        self.phones.get(&member).map_or(&[], Vec::as_slice)
    }

    /// Whether a credential is known, whosever it is.
    pub fn knows(&self, credential: CredentialId) -> bool {
        self.places.contains_key(&credential)
    }

    /// Where a reader is.
    pub fn reader_place(&self, reader: DeviceId) -> ReaderPlace {
        self.places_of_readers.get(&reader).copied().unwrap_or_default()
    }

    /// Takes over one item; an empty one is gone. What this version cannot read is left out: it stays on disk.
    pub fn apply(&mut self, kind: u8, id: [u8; 16], item: &[u8]) {
        let id = Uuid::from_bytes(id);
        match RosterKind::of(kind) {
            Some(RosterKind::Member) => self.forget_member(MemberId(id)),
            Some(RosterKind::Credential) => self.forget_credential(CredentialId(id)),
            Some(RosterKind::Reader) => drop(self.places_of_readers.remove(&DeviceId(id))),
            Some(RosterKind::Staff) | None => return,
        }
        if item.is_empty() {
            return;
        }
        match RosterItem::decode(kind, item) {
            Ok(RosterItem::Member(member)) if member.id.0 == id => {
                self.by_number.insert(member.member_no, member.id);
                self.members.insert(member.id, item.into());
            }
            Ok(RosterItem::Credential(record)) if record.id.0 == id => self.hold(record),
            Ok(RosterItem::Reader(reader)) if reader.id.0 == id => {
                self.places_of_readers.insert(reader.id, reader.place);
            }
            Ok(_) => tracing::warn!(kind, %id, "an item of the roster is about another one"),
            Err(error) => tracing::warn!(kind, %id, %error, "an item of the roster is not usable"),
        }
    }

    fn hold(&mut self, record: CredentialRecord) {
        let CredentialRecord { id, member, kind, enabled } = record;
        let place = match kind {
            CredentialKind::NfcUid { uid_hash } | CredentialKind::Sun { uid_hash } => {
                let is_sun = matches!(kind, CredentialKind::Sun { .. });
                let held = Held { credential: id, member, is_sun, is_enabled: enabled };
                self.cards.put(uid_hash, held);
                Place::Card(uid_hash)
            }
            CredentialKind::Phone { public_key } => {
                let public_key = public_key.into();
                let phone = Phone { credential: id, public_key, is_enabled: enabled };
                self.phones.entry(member).or_default().push(phone);
                Place::Phone(member)
            }
        };
        self.places.insert(id, place);
    }

    fn forget_member(&mut self, id: MemberId) {
        if let Some(member) = self.member(id)
            && self.by_number.get(&member.member_no) == Some(&id)
        {
            self.by_number.remove(&member.member_no);
        }
        self.members.remove(&id);
    }

    fn forget_credential(&mut self, id: CredentialId) {
        match self.places.remove(&id) {
            Some(Place::Card(uid_hash)) => self.cards.remove(&uid_hash, id),
            Some(Place::Phone(member)) => {
                if let Some(phones) = self.phones.get_mut(&member) {
                    phones.retain(|phone| phone.credential != id);
                }
            }
            None => {}
        }
    }
}

/// Only how much there is.
impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "View({} members, {} credentials)", self.members.len(), self.places.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u128, member_no: u64) -> RosterItem {
        RosterItem::Member(Member {
            id: MemberId(Uuid::from_u128(id)),
            member_no,
            display_name: "Ada".to_owned(),
            blocked: None,
            memberships: Vec::new(),
        })
    }

    fn credential(id: u128, member: u128, kind: CredentialKind) -> RosterItem {
        let (id, member) = (CredentialId(Uuid::from_u128(id)), MemberId(Uuid::from_u128(member)));
        RosterItem::Credential(CredentialRecord { id, member, kind, enabled: true })
    }

    fn put(view: &mut View, item: &RosterItem) {
        view.apply(item.kind().number(), item.id().into_bytes(), &item.encode());
    }

    fn take(view: &mut View, kind: RosterKind, id: u128) {
        view.apply(kind.number(), Uuid::from_u128(id).into_bytes(), &[]);
    }

    const CARD: CredentialKind = CredentialKind::NfcUid { uid_hash: [7; 32] };

    #[test]
    fn a_card_leads_to_its_member() {
        let mut view = View::default();
        put(&mut view, &member(1, 42));
        put(&mut view, &credential(2, 1, CARD));

        let held = view.card(&[7; 32]).unwrap();

        assert_eq!(view.member(held.member).unwrap().display_name, "Ada");
        assert_eq!(view.by_number(42), Some(held.member));
        assert_eq!(view.card(&[8; 32]), None);
    }

    #[test]
    fn what_changes_or_goes_leaves_nothing_behind() {
        let mut view = View::default();
        put(&mut view, &member(1, 42));
        put(&mut view, &member(1, 43));
        put(&mut view, &credential(2, 1, CARD));
        put(&mut view, &credential(2, 1, CredentialKind::Phone { public_key: vec![2; 33] }));

        assert_eq!((view.by_number(42), view.card(&[7; 32])), (None, None));
        assert_eq!(view.phones(MemberId(Uuid::from_u128(1))).len(), 1);
        take(&mut view, RosterKind::Credential, 2);
        take(&mut view, RosterKind::Member, 1);

        assert!(view.is_empty() && view.phones(MemberId(Uuid::from_u128(1))).is_empty());
        assert_eq!(view.by_number(43), None);
    }

    #[test]
    fn what_a_later_version_sends_is_left_out() {
        let mut view = View::default();

        view.apply(1, [1; 16], &[99, 1, 2, 3]);
        view.apply(77, [1; 16], &[1, 2, 3]);

        assert!(view.is_empty());
    }
}
