//! Whose credential was presented, by what it proved and what the roster says of it.

use super::{Held, Proof, View};
use crate::floor::Local;
use crate::journal::NewTap;
use protocol::access::Reason;
use protocol::credential::StoredCredential;
use protocol::ids::CredentialId;
use protocol::sync::roster::{CredentialKind, Member};

/// What is known of who stands at the door.
#[derive(Debug, Default)]
pub struct Holder {
    /// Of a card: the keyed hash of its number.
    pub card: Option<[u8; 32]>,
    /// Of a card that proves itself: its counter.
    pub counter: Option<u32>,
    /// Which credential of the roster it is.
    pub credential: Option<CredentialId>,
    /// Whose.
    pub member: Option<Member>,
    /// It counts.
    pub is_enabled: bool,
    /// Why it proved nothing.
    pub flaw: Option<Reason>,
    /// There is a roster at all.
    pub has_roster: bool,
}

impl Holder {
    /// Looks into the roster.
    pub fn of(tap: &NewTap<'_>, view: &View, local: &Local) -> Self {
        let mut holder = Self::in_roster(tap, view);
        if let Some(card) = holder.card.filter(|_| holder.member.is_none())
            && let Some((credential, given)) = local.card(&card)
        {
            let is_copyable = matches!(given.kind, CredentialKind::Sun { .. });
            let is_copy = is_copyable && matches!(tap.proof, Proof::Number);
            holder.flaw = holder.flaw.or(is_copy.then_some(Reason::BadSignature));
            holder.credential = Some(credential);
            holder.member = view.member(given.member);
            holder.is_enabled = true;
        }
        if let Some(member) = &mut holder.member {
            local.amend(member);
        }
        holder
    }

    fn in_roster(tap: &NewTap<'_>, view: &View) -> Self {
        let holder = Self { is_enabled: true, has_roster: !view.is_empty(), ..Self::default() };
        match (tap.proof, &tap.tap.credential) {
            (Proof::Number, StoredCredential::NfcUid { uid_hash }) => {
                let held = view.card(uid_hash);
                let is_copyable = held.is_some_and(|held| held.is_sun);
                // Such a card proves itself; its number alone is what a copy has.
                let flaw = is_copyable.then_some(Reason::BadSignature);
                Self { card: Some(*uid_hash), flaw, ..holder }.with_card(held, view)
            }
            (Proof::Card { uid_hash, counter }, _) => {
                let (card, counter) = (Some(*uid_hash), Some(*counter));
                Self { card, counter, ..holder }.with_card(view.card(uid_hash), view)
            }
            (Proof::Code(payload), _) => {
                let member = view.by_number(payload.member_no).and_then(|id| view.member(id));
                Self { member, ..holder }
            }
            (Proof::Phone { credential, member_no, .. }, _) => {
                let member = view.by_number(*member_no);
                let phones = member.map_or(&[][..], |member| view.phones(member));
                // It may have been taken out of the roster since it was checked.
                let phone = phones.iter().find(|phone| phone.credential == *credential);
                Self {
                    credential: Some(*credential),
                    member: member.and_then(|id| view.member(id)),
                    is_enabled: phone.is_some_and(|phone| phone.is_enabled),
                    ..holder
                }
            }
            (Proof::Nothing(reason), _) => Self { flaw: Some(*reason), ..holder },
            (Proof::Number, _) => Self { flaw: Some(Reason::BadSignature), ..holder },
        }
    }

    fn with_card(self, held: Option<Held>, view: &View) -> Self {
        let Some(held) = held else { return self };
        Self {
            credential: Some(held.credential),
            member: view.member(held.member),
            is_enabled: held.is_enabled,
            ..self
        }
    }
}
