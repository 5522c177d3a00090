//! Cards by their hash. A card can be in the roster twice, when it was taken from one member and given to another:
//! the enabled one counts, else the newer one, in whichever order they come.

use protocol::ids::{CredentialId, MemberId};
use std::collections::HashMap;

/// Whose card it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Which credential.
    pub credential: CredentialId,
    /// Whose.
    pub member: MemberId,
    /// It proves itself with messages; its number alone opens nothing.
    pub is_sun: bool,
    /// Counts.
    pub is_enabled: bool,
}

/// The cards.
#[derive(Debug, Default)]
pub struct Cards {
    counting: HashMap<[u8; 32], Held>,
    /// Those that stand behind another; there are hardly any.
    others: Vec<([u8; 32], Held)>,
}

impl Cards {
    /// The card with this hash.
    pub fn find(&self, uid_hash: &[u8; 32]) -> Option<Held> {
        self.counting.get(uid_hash).copied()
    }

    /// Adds a credential that is not in here.
    pub fn put(&mut self, uid_hash: [u8; 32], held: Held) {
        let Some(known) = self.counting.get_mut(&uid_hash) else {
            self.counting.insert(uid_hash, held);
            return;
        };
        let behind = if rank(&held) > rank(known) { std::mem::replace(known, held) } else { held };
        self.others.push((uid_hash, behind));
    }

    /// Takes a credential out.
    pub fn remove(&mut self, uid_hash: &[u8; 32], credential: CredentialId) {
        self.others.retain(|(_, held)| held.credential != credential);
        if self.counting.get(uid_hash).is_none_or(|held| held.credential != credential) {
            return;
        }
        self.counting.remove(uid_hash);
        let same = self.others.iter().enumerate().filter(|(_, (hash, _))| hash == uid_hash);
        if let Some((next, _)) = same.max_by_key(|(_, (_, held))| rank(held)) {
            let (hash, held) = self.others.swap_remove(next);
            self.counting.insert(hash, held);
        }
    }
}

fn rank(held: &Held) -> (bool, CredentialId) {
    (held.is_enabled, held.credential)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const CARD: [u8; 32] = [7; 32];

    fn held(credential: u128, is_enabled: bool) -> Held {
        let credential = CredentialId(Uuid::from_u128(credential));
        Held { credential, member: MemberId(Uuid::nil()), is_sun: false, is_enabled }
    }

    #[test]
    fn the_enabled_one_of_two_counts_in_either_order() {
        let (lost, found) = (held(1, false), held(2, true));
        let (mut one, mut other) = (Cards::default(), Cards::default());

        one.put(CARD, lost);
        one.put(CARD, found);
        other.put(CARD, found);
        other.put(CARD, lost);

        assert_eq!((one.find(&CARD), other.find(&CARD)), (Some(found), Some(found)));
    }

    #[test]
    fn the_one_behind_counts_when_the_other_is_gone() {
        let mut cards = Cards::default();
        for held in [held(1, false), held(2, true), held(3, false)] {
            cards.put(CARD, held);
        }

        cards.remove(&CARD, held(2, true).credential);
        let behind = cards.find(&CARD);
        cards.remove(&CARD, held(3, false).credential);
        cards.remove(&CARD, held(1, false).credential);

        assert_eq!((behind, cards.find(&CARD)), (Some(held(3, false)), None));
    }
}
