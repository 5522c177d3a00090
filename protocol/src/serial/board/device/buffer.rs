//! What the host has not acked yet, in a bounded memory. When that is full, the least valuable goes first.

use crate::serial::board::FirmwareMessage;
use alloc::collections::VecDeque;

/// Samples are first thinned to one in so many milliseconds.
const THINNED_TO_MS: u64 = 10_000;

/// A message that waits for its ack.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub seq: u64,
    pub message: FirmwareMessage,
    taken_ms: u64,
    /// When it was last written to the line.
    pub offered_ms: Option<u64>,
}

/// Unacked messages, ascending by number.
#[derive(Debug, Clone)]
pub(super) struct Buffer {
    kept: VecDeque<Kept>,
    capacity: usize,
    lost: u64,
}

impl Buffer {
    pub fn new(capacity: usize) -> Self {
        Self { kept: VecDeque::new(), capacity: capacity.max(1), lost: 0 }
    }

    /// How many messages were dropped.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    pub fn len(&self) -> usize {
        self.kept.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.kept.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Kept> {
        self.kept.iter_mut()
    }

    /// Takes a message with the highest number so far.
    pub fn push(&mut self, seq: u64, message: FirmwareMessage, now_ms: u64) {
        while self.kept.len() >= self.capacity {
            self.make_room();
        }
        self.kept.push_back(Kept { seq, message, taken_ms: now_ms, offered_ms: None });
    }

    /// A message that cannot be kept.
    pub fn refuse(&mut self) {
        self.lost += 1;
    }

    /// The host has it on disk.
    pub fn acked(&mut self, seq: u64) {
        if let Ok(at) = self.kept.binary_search_by_key(&seq, |kept| kept.seq) {
            self.kept.remove(at);
        }
    }

    fn make_room(&mut self) {
        let at = self
            .close_sample()
            .or_else(|| self.oldest(|message| matches!(message, FirmwareMessage::Sample { .. })))
            .or_else(|| self.oldest(|message| matches!(message, FirmwareMessage::Travel { .. })))
            .or_else(|| self.oldest(|message| matches!(message, FirmwareMessage::Status { .. })))
            .unwrap_or(0);
        self.kept.remove(at);
        self.lost += 1;
    }

    fn oldest(&self, is_kind: impl Fn(&FirmwareMessage) -> bool) -> Option<usize> {
        self.kept.iter().position(|kept| is_kind(&kept.message))
    }

    /// The oldest sample that was taken soon after another one.
    fn close_sample(&self) -> Option<usize> {
        let mut before: Option<u64> = None;
        self.kept.iter().position(|kept| {
            if !matches!(kept.message, FirmwareMessage::Sample { .. }) {
                return false;
            }
            let is_close =
                before.is_some_and(|ms| kept.taken_ms.saturating_sub(ms) < THINNED_TO_MS);
            if !is_close {
                before = Some(kept.taken_ms);
            }
            is_close
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serial::board::BoardState;
    use alloc::vec;
    use alloc::vec::Vec;

    fn sample(seq: u64) -> FirmwareMessage {
        FirmwareMessage::Sample { seq, uptime_ms: 0, values: vec![] }
    }

    fn set(seq: u64) -> FirmwareMessage {
        let (uptime_ms, exercise, reps) = (0, None, 1);
        let (weight_cg, duration_ms, rom_mm) = (None, None, None);
        FirmwareMessage::Set { seq, uptime_ms, exercise, reps, weight_cg, duration_ms, rom_mm }
    }

    fn travel(seq: u64) -> FirmwareMessage {
        let (uptime_ms, every_ms, position_mm) = (0, 50, vec![1]);
        FirmwareMessage::Travel { seq, uptime_ms, every_ms, position_mm, weight_cg: None }
    }

    fn status(seq: u64) -> FirmwareMessage {
        FirmwareMessage::Status { seq, uptime_ms: 0, state: BoardState::Idle, error: None }
    }

    fn numbers(buffer: &Buffer) -> Vec<u64> {
        buffer.iter().map(|kept| kept.seq).collect()
    }

    #[test]
    fn samples_are_thinned_before_anything_is_dropped_whole() {
        let mut buffer = Buffer::new(4);

        for seq in 1..=4 {
            buffer.push(seq, sample(seq), seq * 4_000);
        }
        buffer.push(5, sample(5), 20_000);
        buffer.push(6, sample(6), 24_000);

        assert_eq!(numbers(&buffer), [1, 4, 5, 6]);
        assert_eq!(buffer.lost(), 2);
    }

    #[test]
    fn sets_go_last_and_the_oldest_of_them_first() {
        let mut buffer = Buffer::new(4);
        buffer.push(1, set(1), 0);
        buffer.push(2, status(2), 0);
        buffer.push(3, travel(3), 0);
        buffer.push(4, sample(4), 0);

        let after = (5..=9).map(|seq| {
            buffer.push(seq, set(seq), 0);
            numbers(&buffer)
        });
        let after: Vec<Vec<u64>> = after.collect();

        assert_eq!(after[0], [1, 2, 3, 5]);
        assert_eq!(after[1], [1, 2, 5, 6]);
        assert_eq!(after[2], [1, 5, 6, 7]);
        assert_eq!(after[3], [5, 6, 7, 8]);
    }

    #[test]
    fn what_is_acked_makes_room() {
        let mut buffer = Buffer::new(2);
        buffer.push(1, set(1), 0);
        buffer.push(2, set(2), 0);

        buffer.acked(1);
        buffer.acked(7);
        buffer.push(3, set(3), 0);

        assert_eq!(numbers(&buffer), [2, 3]);
        assert_eq!((buffer.lost(), buffer.len()), (0, 2));
    }
}
