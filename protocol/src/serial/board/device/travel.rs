//! Gathers positions into messages. A machine that nobody uses sends none.

use alloc::vec::Vec;
use core::mem;

/// Positions in a message. Few enough that a live counter follows at once.
const BATCH: usize = 10;

/// What moves less than this is still.
const STILL_MM: u16 = 10;

/// Still for longer, and nothing is sent any more. Longer than any pause that ends a set at the host, which
/// therefore sees every pause in the positions themselves.
pub const QUIET_AFTER_MS: u64 = 15_000;

/// Positions for one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    pub uptime_ms: u64,
    pub position_mm: Vec<i16>,
    pub weight_cg: Option<u32>,
}

/// The positions that are not in a message yet.
#[derive(Debug, Clone)]
pub(super) struct Gatherer {
    every_ms: u16,
    open: Option<Batch>,
    /// The last batch that was not sent since nothing moved: a movement begins in it.
    lead_in: Option<Batch>,
    anchor_mm: Option<i16>,
    moved_ms: u64,
}

impl Gatherer {
    pub fn new(every_ms: u16) -> Self {
        Self { every_ms, open: None, lead_in: None, anchor_mm: None, moved_ms: 0 }
    }

    pub fn every_ms(&self) -> u16 {
        self.every_ms
    }

    /// Takes a position in and gives what is to be sent.
    pub fn take(&mut self, mm: i16, weight_cg: Option<u32>, now_ms: u64) -> Vec<Batch> {
        let mut ready = Vec::new();
        if self.open.as_ref().is_some_and(|open| !self.goes_on(open, weight_cg, now_ms)) {
            ready.extend(self.close());
        }
        if self.anchor_mm.is_none_or(|anchor| anchor.abs_diff(mm) > STILL_MM) {
            (self.anchor_mm, self.moved_ms) = (Some(mm), now_ms);
        }
        let open = self.open.get_or_insert_with(|| Batch {
            uptime_ms: now_ms,
            position_mm: Vec::with_capacity(BATCH),
            weight_cg,
        });
        open.position_mm.push(mm);
        if open.position_mm.len() == BATCH {
            ready.extend(self.close());
        }
        if now_ms.saturating_sub(self.moved_ms) <= QUIET_AFTER_MS {
            if let Some(lead_in) = self.lead_in.take() {
                ready.insert(0, lead_in);
            }
        } else {
            self.lead_in = ready.pop().or_else(|| self.lead_in.take());
            ready.clear();
        }
        ready
    }

    /// Whether a position of now is the next of a batch: in its time, give or take half an interval.
    fn goes_on(&self, open: &Batch, weight_cg: Option<u32>, now_ms: u64) -> bool {
        let every_ms = u64::from(self.every_ms);
        let due_ms = open.uptime_ms + every_ms * open.position_mm.len() as u64;
        open.weight_cg == weight_cg && due_ms.abs_diff(now_ms) <= every_ms / 2
    }

    fn close(&mut self) -> Option<Batch> {
        mem::take(&mut self.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(gatherer: &mut Gatherer, ms: core::ops::Range<u64>, mm: i16) -> Vec<Batch> {
        ms.step_by(50).flat_map(|ms| gatherer.take(mm, None, ms)).collect()
    }

    #[test]
    fn ten_positions_are_a_message() {
        let mut gatherer = Gatherer::new(50);

        let batches = positions(&mut gatherer, 1_000..2_000, 7);

        let starts: Vec<u64> = batches.iter().map(|batch| batch.uptime_ms).collect();
        assert_eq!(starts, [1_000, 1_500]);
        assert_eq!(batches[0].position_mm, [7; 10]);
    }

    #[test]
    fn a_gap_and_another_load_begin_a_new_message() {
        let mut gatherer = Gatherer::new(50);

        let mut batches = positions(&mut gatherer, 0..200, 1);
        batches.extend(gatherer.take(1, None, 900));
        batches.extend(gatherer.take(1, Some(500), 950));
        batches.extend(gatherer.take(1, Some(750), 1_000));

        let lengths: Vec<usize> = batches.iter().map(|batch| batch.position_mm.len()).collect();
        assert_eq!(lengths, [4, 1, 1]);
        assert_eq!(batches[2].weight_cg, Some(500));
    }

    #[test]
    fn a_machine_at_rest_is_quiet_and_a_movement_brings_what_led_to_it() {
        let mut gatherer = Gatherer::new(50);

        let resting = positions(&mut gatherer, 0..60_000, 3);
        let moving = positions(&mut gatherer, 60_000..60_500, 300);

        assert_eq!(resting.last().unwrap().uptime_ms, 14_500);
        let starts: Vec<u64> = moving.iter().map(|batch| batch.uptime_ms).collect();
        assert_eq!(starts, [59_500, 60_000]);
    }
}
