//! What has to be written so that the database says what the file says. Pure.

use super::store::{Known, KnownMember};
use super::{Row, RowError, Wanted};
use crate::domains::accounts::Email;
use crate::domains::members::model::{CredentialKind, Proof, Replace};
use crate::domains::members::value::Reason;
use crate::ids::{CredentialId, MemberId, MembershipId};
use std::collections::HashMap;

/// What has to be written.
#[derive(Debug, Default)]
pub struct Plan {
    pub new_members: Vec<MemberRow>,
    pub changed_members: Vec<MemberRow>,
    pub memberships: Vec<MembershipRow>,
    pub cards: Vec<CardRow>,
    /// Of whom branches are told: those whose roster item becomes another.
    pub touched: Vec<MemberId>,
    /// Members that were there and become different, by name, membership or card.
    pub changed: usize,
    pub unchanged: usize,
    pub cards_left_revoked: usize,
}

/// A row of members as it will be.
#[derive(Debug)]
pub struct MemberRow {
    pub id: MemberId,
    pub reference: String,
    pub display_name: String,
    pub email: Option<String>,
    pub blocked_reason: Option<String>,
}

/// A row of memberships as it will be.
#[derive(Debug)]
pub struct MembershipRow {
    pub id: MembershipId,
    pub member: MemberId,
    pub wanted: Wanted,
}

/// A new row of credentials.
#[derive(Debug)]
pub struct CardRow {
    pub id: CredentialId,
    pub member: MemberId,
    pub kind: CredentialKind,
    pub uid_hash: [u8; 32],
}

impl Plan {
    /// `key` is the organization's credential key.
    pub fn of(rows: Vec<Row>, known: &Known, key: &[u8; 32], errors: &mut Vec<RowError>) -> Self {
        let mut plan = Self::default();
        let mut cards = HashMap::new();
        for row in rows {
            plan.add(row, known, key, &mut cards, errors);
        }
        plan
    }

    fn add(
        &mut self,
        row: Row,
        known: &Known,
        key: &[u8; 32],
        cards: &mut HashMap<[u8; 32], u64>,
        errors: &mut Vec<RowError>,
    ) {
        let before = known.members.get(row.reference.as_str());
        let id = before.map_or_else(MemberId::new, |member| member.id);
        let has_changed = self.put_member(id, &row, before);
        let has_membership = self.put_membership(id, row.membership, before);
        let mut has_card = false;
        for proof in row.cards {
            let Some(uid_hash) = proof.uid_hash(key) else { continue };
            match cards.insert(uid_hash, row.line) {
                None => {}
                Some(line) if line == row.line => continue,
                Some(line) => {
                    let message = format!("has a card of line {line}");
                    errors.push(RowError::new(row.line, "card_uids", message));
                    continue;
                }
            }
            match self.put_card(id, &proof, uid_hash, known) {
                Ok(is_new) => has_card |= is_new,
                Err(message) => errors.push(RowError::new(row.line, "card_uids", message)),
            }
        }
        if has_changed || has_membership {
            self.touched.push(id);
        }
        match before {
            None => {}
            Some(_) if has_changed || has_membership || has_card => self.changed += 1,
            Some(_) => self.unchanged += 1,
        }
    }

    fn put_member(&mut self, id: MemberId, row: &Row, before: Option<&KnownMember>) -> bool {
        let email = match &row.email {
            Replace::Keep => before.and_then(|member| member.email.clone()),
            email => email.value().map(|email: &Email| email.as_str().to_owned()),
        };
        let blocked_reason = match &row.blocked {
            Replace::Keep => before.and_then(|member| member.blocked_reason.clone()),
            blocked => blocked.value().map(|reason: &Reason| reason.as_str().to_owned()),
        };
        let new = MemberRow {
            id,
            reference: row.reference.as_str().to_owned(),
            display_name: row.display_name.as_str().to_owned(),
            email,
            blocked_reason,
        };
        match before {
            None => self.new_members.push(new),
            Some(before) if before.says(&new) => return false,
            Some(_) => self.changed_members.push(new),
        }
        true
    }

    fn put_membership(
        &mut self,
        member: MemberId,
        wanted: Option<Wanted>,
        before: Option<&KnownMember>,
    ) -> bool {
        let Some(wanted) = wanted else { return false };
        let known = before.and_then(|member| member.membership.as_ref());
        if known.is_some_and(|(_, terms)| *terms == wanted) {
            return false;
        }
        let id = known.map_or_else(MembershipId::new, |(id, _)| *id);
        self.memberships.push(MembershipRow { id, member, wanted });
        true
    }

    /// Whether the card is new.
    fn put_card(
        &mut self,
        member: MemberId,
        proof: &Proof,
        uid_hash: [u8; 32],
        known: &Known,
    ) -> Result<bool, String> {
        let kind = proof.kind();
        if let Some(card) = known.cards.get(&uid_hash) {
            return match (card.member == member, card.kind == kind) {
                (true, true) => Ok(false),
                (true, false) => Err(format!("has a card that is known as {}", card.kind.name())),
                (false, _) => Err("has a card of another member".to_owned()),
            };
        }
        // What staff took away, the same file does not give back.
        if known.revoked_cards.contains(&(member, uid_hash)) {
            self.cards_left_revoked += 1;
            return Ok(false);
        }
        self.cards.push(CardRow { id: CredentialId::new(), member, kind, uid_hash });
        Ok(true)
    }
}

impl KnownMember {
    fn says(&self, new: &MemberRow) -> bool {
        self.display_name == new.display_name
            && self.email == new.email
            && self.blocked_reason == new.blocked_reason
    }
}
