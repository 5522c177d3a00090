//! How many people were inside through the day: the most in each ten minutes, for two days.

use std::collections::BTreeMap;

/// Length of a slot.
pub const SLOT_MS: i64 = 600_000;
const MAX_SLOTS: usize = 288;

/// People by slot (Unix milliseconds / [`SLOT_MS`]).
#[derive(Debug, Default)]
pub struct Occupancy(BTreeMap<i64, usize>);

impl Occupancy {
    /// So many are inside now.
    pub fn counted(&mut self, now_ms: i64, people: usize) {
        self.at_slot(now_ms.div_euclid(SLOT_MS), people);
    }

    /// So many were inside in a slot.
    pub fn at_slot(&mut self, slot: i64, people: usize) {
        let most = self.0.entry(slot).or_default();
        *most = people.max(*most);
        while self.0.len() > MAX_SLOTS {
            self.0.pop_first();
        }
    }

    /// Every slot.
    pub fn all(&self) -> Vec<(i64, usize)> {
        self.0.iter().map(|(slot, people)| (*slot, *people)).collect()
    }

    /// What is known from one moment to another: begin of the slot and people.
    pub fn between(&self, from_ms: i64, until_ms: i64) -> Vec<(i64, usize)> {
        let slots = from_ms.div_euclid(SLOT_MS)..until_ms.div_euclid(SLOT_MS) + 1;
        self.0.range(slots).map(|(slot, people)| (slot.saturating_mul(SLOT_MS), *people)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_keeps_the_most_and_only_two_days_are_kept() {
        let mut occupancy = Occupancy::default();
        for (now_ms, people) in [(5, 3), (6, 7), (7, 2), (SLOT_MS, 1)] {
            occupancy.counted(now_ms, people);
        }

        assert_eq!(occupancy.between(0, SLOT_MS), [(0, 7), (SLOT_MS, 1)]);
        (0..400).for_each(|slot| occupancy.counted(slot * SLOT_MS, 1));
        assert_eq!(occupancy.0.len(), MAX_SLOTS);
    }
}
