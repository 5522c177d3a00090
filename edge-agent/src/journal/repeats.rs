//! Which messages came before: per device, ranges of (boot, seq), and digests of messages without `boot`.
//!
//! The state changes with every sample, yet costs no write of its own: the entries carry (device, boot, seq)
//! and the digests, so a snapshot now and then plus the entries behind it *is* the state, durable in the
//! commit that stores the data. No entry behind the snapshot is ever deleted, thinned or dropped.
//!
//! At most [`MAX_RANGES`] ranges per device, over all its boots. Beyond, the oldest boot's lowest range is
//! forgotten: if one of its messages comes yet again it is stored twice. Doubling is preferred to loss.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Ranges kept per device.
pub const MAX_RANGES: usize = 64;
/// Digests kept per device.
pub const MAX_DIGESTS: usize = 64;

/// Digests are kept as this many bytes.
const DIGEST_BYTES: usize = 6;
const DIGEST_MASK: u64 = (1 << (8 * DIGEST_BYTES)) - 1;
const STATE_VERSION: u8 = 1;

/// The digest of a payload (FNV-1a). It is stored, so it never changes.
pub fn digest(payload: &[u8]) -> u64 {
    payload.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What is known of all devices, by their local number.
#[derive(Debug, Default)]
pub struct Repeats {
    devices: Vec<Seen>,
}

impl Repeats {
    /// What is known of a device.
    pub fn device(&mut self, number: u32) -> &mut Seen {
        let index = number as usize;
        if index >= self.devices.len() {
            self.devices.resize_with(index + 1, Seen::default);
        }
        &mut self.devices[index]
    }

    /// What is known of each device.
    pub fn all(&self) -> impl Iterator<Item = (u32, &Seen)> {
        (0..).zip(&self.devices)
    }

    /// Devices whose state changed since it was last asked for, each with its snapshot.
    pub fn changed(&self) -> impl Iterator<Item = (u32, Vec<u8>)> {
        (0..)
            .zip(&self.devices)
            .filter(|(_, seen)| seen.is_changed)
            .map(|(n, seen)| (n, seen.encode()))
    }

    /// The snapshots are on disk.
    pub fn saved(&mut self) {
        self.devices.iter_mut().for_each(|seen| seen.is_changed = false);
    }

    /// Nothing is on disk any more.
    pub fn unsaved(&mut self) {
        self.devices.iter_mut().for_each(|seen| seen.is_changed = true);
    }

    /// Takes a snapshot back. Whether it could be read.
    pub fn restore(&mut self, number: u32, state: &[u8]) -> bool {
        let seen = Seen::decode(state);
        let is_read = seen.is_some();
        *self.device(number) = seen.unwrap_or_default();
        is_read
    }
}

/// What is known of one device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Boots in the order they were first seen; ranges of a boot are adjacent, ascending and do not touch.
    ranges: Vec<Range>,
    digests: VecDeque<u64>,
    is_changed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Range {
    boot: u32,
    first: u64,
    last: u64,
}

#[derive(Serialize, Deserialize)]
struct Snapshot {
    ranges: Vec<Range>,
    digests: Vec<u64>,
}

impl Seen {
    /// Notes a number. Whether it is new.
    pub fn note(&mut self, boot: u32, seq: u64) -> bool {
        let is_new = self.insert(boot, seq);
        self.is_changed |= is_new;
        is_new
    }

    fn insert(&mut self, boot: u32, seq: u64) -> bool {
        if let Some(newest) = self.ranges.last_mut()
            && newest.boot == boot
            && newest.last.checked_add(1) == Some(seq)
        {
            newest.last = seq;
            return true;
        }
        let start =
            self.ranges.iter().position(|range| range.boot == boot).unwrap_or(self.ranges.len());
        let above = self.ranges[start..]
            .iter()
            .position(|range| range.boot != boot || range.first > seq)
            .map_or(self.ranges.len(), |offset| start + offset);
        if above > start && self.ranges[above - 1].last >= seq {
            return false;
        }
        let follows = above > start && self.ranges[above - 1].last + 1 == seq;
        let precedes = self
            .ranges
            .get(above)
            .is_some_and(|range| range.boot == boot && range.first == seq + 1);
        match (follows, precedes) {
            (true, true) => {
                self.ranges[above - 1].last = self.ranges[above].last;
                self.ranges.remove(above);
            }
            (true, false) => self.ranges[above - 1].last = seq,
            (false, true) => self.ranges[above].first = seq,
            (false, false) => {
                self.ranges.insert(above, Range { boot, first: seq, last: seq });
                if self.ranges.len() > MAX_RANGES {
                    self.ranges.remove(0);
                }
            }
        }
        true
    }

    /// Notes everything that another state knows of the device.
    pub fn absorb(&mut self, other: &Self) {
        for &new in &other.ranges {
            let place = self.ranges.iter().position(|range| range.boot == new.boot);
            let place = place.unwrap_or(self.ranges.len());
            let mut of_boot: Vec<_> =
                self.ranges.extract_if(.., |range| range.boot == new.boot).chain([new]).collect();
            of_boot.sort_unstable_by_key(|range| range.first);
            of_boot.dedup_by(|next, range| {
                let touches = next.first <= range.last.saturating_add(1);
                if touches {
                    range.last = range.last.max(next.last);
                }
                touches
            });
            self.ranges.splice(place..place, of_boot);
        }
        let beyond = self.ranges.len().saturating_sub(MAX_RANGES);
        self.ranges.drain(..beyond);
        for &digest in &other.digests {
            if !self.knows(digest) {
                self.note_digest(digest);
            }
        }
        self.is_changed |= !other.ranges.is_empty();
    }

    /// Whether equal bytes are among the device's last messages without `boot`.
    pub fn knows(&self, digest: u64) -> bool {
        self.digests.contains(&(digest & DIGEST_MASK))
    }

    /// Notes a message without `boot`.
    pub fn note_digest(&mut self, digest: u64) {
        if self.digests.len() == MAX_DIGESTS {
            self.digests.pop_front();
        }
        self.digests.push_back(digest & DIGEST_MASK);
        self.is_changed = true;
    }

    fn encode(&self) -> Vec<u8> {
        let snapshot = Snapshot {
            ranges: self.ranges.clone(),
            digests: self.digests.iter().copied().collect(),
        };
        let mut bytes = postcard::to_extend(&snapshot, vec![STATE_VERSION])
            .expect("writing to memory does not fail");
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Nothing, rather than a damaged state: it could take new messages for repeats.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_last_chunk()?;
        if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let (&STATE_VERSION, rest) = body.split_first()? else { return None };
        let snapshot: Snapshot = postcard::from_bytes(rest).ok()?;
        Some(Self { ranges: snapshot.ranges, digests: snapshot.digests.into(), is_changed: false })
    }
}

/// Appends a message without `boot` to the digests that an entry carries.
pub fn put_digest(digests: &mut Vec<u8>, device: u32, digest: u64) {
    digests.extend_from_slice(&device.to_le_bytes());
    digests.extend_from_slice(&digest.to_le_bytes()[..DIGEST_BYTES]);
}

/// The digests that an entry carries, as (device, digest).
pub fn digests(bytes: &[u8]) -> impl Iterator<Item = (u32, u64)> {
    bytes.chunks_exact(4 + DIGEST_BYTES).map(|chunk| {
        let (device, digest) = chunk.split_at(4);
        let mut wide = [0; 8];
        wide[..DIGEST_BYTES].copy_from_slice(digest);
        (u32::from_le_bytes([device[0], device[1], device[2], device[3]]), u64::from_le_bytes(wide))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn a_number_is_new_once_in_any_order() {
        let mut seen = Seen::default();

        let answers = [5, 3, 4, 5, 1, 2, 3, 9, u64::MAX, u64::MAX, 0].map(|seq| seen.note(7, seq));

        assert_eq!(answers, [true, true, true, false, true, true, false, true, true, false, true]);
        assert_eq!(seen.ranges.len(), 3);
    }

    #[test]
    fn boots_are_apart() {
        let mut seen = Seen::default();

        assert!(seen.note(1, 5));
        assert!(seen.note(2, 5));
        assert!(seen.note(1, 6));
        assert!(!seen.note(1, 5));
        assert!(!seen.note(2, 5));
    }

    #[test]
    fn beyond_the_limit_the_oldest_is_forgotten_first() {
        let mut seen = Seen::default();
        for boot in 0..=64 {
            assert!(seen.note(boot, 1));
        }

        assert_eq!(seen.ranges.len(), MAX_RANGES);
        assert!(!seen.note(64, 1));
        assert!(!seen.note(1, 1));
        assert!(seen.note(0, 1), "boot 0 was forgotten");
    }

    #[test]
    fn a_digest_is_known_for_64_messages() {
        let mut seen = Seen::default();
        seen.note_digest(digest(b"first"));
        (0..63).for_each(|other| seen.note_digest(other));
        assert!(seen.knows(digest(b"first")));

        seen.note_digest(64);

        assert!(!seen.knows(digest(b"first")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn ranges_answer_like_a_set(numbers in prop::collection::vec((0_u32..3, 0_u64..40), 0..200)) {
            let mut seen = Seen::default();
            let mut model = HashSet::new();

            for (boot, seq) in numbers {
                prop_assert_eq!(seen.note(boot, seq), model.insert((boot, seq)));
                let restored = Seen::decode(&seen.encode()).unwrap();
                prop_assert_eq!(&restored.ranges, &seen.ranges);
            }
        }

        #[test]
        fn what_another_state_knows_is_known_as_if_it_had_come_here(
            own in prop::collection::vec((0_u32..3, 0_u64..40), 0..100),
            others in prop::collection::vec((0_u32..3, 0_u64..40), 0..100),
        ) {
            let (mut seen, mut other) = (Seen::default(), Seen::default());
            for &(boot, seq) in &own {
                seen.note(boot, seq);
            }
            for &(boot, seq) in &others {
                other.note(boot, seq);
            }
            let mut model = seen.clone();
            for &(boot, seq) in &others {
                model.note(boot, seq);
            }
            seen.absorb(&other);
            let ranges = |seen: &Seen| {
                let mut ranges = seen.ranges.clone();
                ranges.sort_by_key(|range| (range.boot, range.first));
                ranges
            };
            prop_assert_eq!(ranges(&seen), ranges(&model));
            prop_assert_eq!(Seen::decode(&seen.encode()).unwrap().ranges, seen.ranges);
        }

        #[test]
        fn nothing_new_is_ever_taken_for_a_repeat(numbers in prop::collection::vec((any::<u32>(), any::<u64>()), 0..300)) {
            let mut seen = Seen::default();
            let mut model = HashSet::new();

            for number in numbers {
                let is_new = seen.note(number.0, number.1);
                prop_assert!(is_new || model.contains(&number));
                prop_assert!(seen.ranges.len() <= MAX_RANGES);
                model.insert(number);
            }
        }

        #[test]
        fn digests_of_an_entry_round_trip(list in prop::collection::vec((any::<u32>(), 0..=DIGEST_MASK), 0..50)) {
            let mut bytes = Vec::new();
            for &(device, digest) in &list {
                put_digest(&mut bytes, device, digest);
            }

            prop_assert_eq!(digests(&bytes).collect::<Vec<_>>(), list);
        }
    }
}
