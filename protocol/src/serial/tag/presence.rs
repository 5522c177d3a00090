//! What lies on a reader now, so that a card is one presentation however often it is seen.
//!
//! A card is gone when the reader, working, has not seen it for [`ABSENCE`]. While the reader is out of order
//! nothing is seen, and nothing is forgotten: a card that still lies there afterwards is no new presentation.

use super::Target;
use crate::credential::Credential;
use std::time::Duration;

/// So long must a card be out of sight to be gone: a hand that trembles is no second presentation.
pub const ABSENCE: Duration = Duration::from_millis(400);

/// More cards than that do not lie on a reader; the oldest is forgotten.
const MAX_KNOWN: usize = 8;

/// What a card is known by.
#[derive(Clone, PartialEq, Eq)]
pub enum Key {
    /// Its number.
    Uid(Vec<u8>),
    /// Who a phone says it is; its number changes.
    Phone(Vec<u8>),
    /// A card whose number changes too.
    Nameless,
}

impl Key {
    /// What `target` is known by, which was found to be `credential`.
    pub fn of(credential: &Credential, target: &Target) -> Self {
        match credential {
            Credential::Hce { token, .. } => Self::Phone(token.clone()),
            _ if target.is_random() => Self::Nameless,
            _ => Self::Uid(target.uid.clone()),
        }
    }
}

/// Numbers of cards open doors and do not belong in a log.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Uid(_) => "Uid",
            Self::Phone(_) => "Phone",
            Self::Nameless => "Nameless",
        })
    }
}

/// The cards that were presented and have not left.
#[derive(Debug, Clone, Default)]
pub struct Presence {
    /// With the first moment at which they were not seen.
    known: Vec<(Key, Option<Duration>)>,
}

impl Presence {
    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether that was presented before and has not left.
    pub fn knows(&self, key: &Key) -> bool {
        self.known.iter().any(|(known, _)| known == key)
    }

    /// It has been presented.
    pub fn add(&mut self, key: Key) {
        if self.knows(&key) {
            return;
        }
        if self.known.len() == MAX_KNOWN {
            self.known.remove(0);
        }
        self.known.push((key, None));
    }

    /// The reader has looked and seen `seen`, and also a phone if `phone`, whose name is not known at first sight.
    /// Says how many have left.
    pub fn look(&mut self, seen: &[Key], phone: bool, now: Duration) -> usize {
        let before = self.known.len();
        self.known.retain_mut(|(key, missing)| {
            if seen.contains(key) || phone && !matches!(key, Key::Uid(_)) {
                *missing = None;
                return true;
            }
            now.saturating_sub(*missing.get_or_insert(now)) < ABSENCE
        });
        before - self.known.len()
    }

    /// The reader could not look: whoever was missing may have been there.
    pub fn look_failed(&mut self) {
        for (_, missing) in &mut self.known {
            *missing = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn card() -> Key {
        Key::Uid(vec![4, 1, 2, 3, 4, 5, 6])
    }

    #[test]
    fn a_card_is_gone_after_its_absence_and_not_before() {
        let mut presence = Presence::default();
        presence.add(card());

        assert_eq!(presence.look(&[], false, ms(0)), 0);
        assert_eq!(presence.look(&[], false, ms(399)), 0);
        assert_eq!(presence.look(&[card()], false, ms(399)), 0);
        assert_eq!(presence.look(&[], false, ms(700)), 0);
        assert_eq!(presence.look(&[], false, ms(1_100)), 1);
        assert!(presence.is_empty());
    }

    #[test]
    fn time_without_looking_is_no_absence() {
        let mut presence = Presence::default();
        presence.add(card());

        presence.look(&[], false, ms(0));
        presence.look_failed();

        assert_eq!(presence.look(&[], false, ms(60_000)), 0);
        assert!(presence.knows(&card()));
    }

    #[test]
    fn any_phone_in_sight_keeps_the_known_phone() {
        let mut presence = Presence::default();
        presence.add(Key::Phone(vec![1]));
        presence.add(card());

        presence.look(&[], true, ms(0));
        assert_eq!(presence.look(&[], true, ms(1_000)), 1);

        assert!(presence.knows(&Key::Phone(vec![1])));
        assert!(!presence.knows(&card()));
    }

    #[test]
    fn the_list_is_bounded() {
        let mut presence = Presence::default();

        for number in 0..100 {
            presence.add(Key::Phone(vec![number]));
        }

        assert_eq!(presence.known.len(), MAX_KNOWN);
        assert!(presence.knows(&Key::Phone(vec![99])));
    }
}
