//! One line of time for the floor, in Unix milliseconds, that never jumps: it follows the monotonic clock, and learns
//! what to add to it whenever the wall clock is believed. What was noted while that was wrong moves along.

use protocol::time::{Stamp, wall_at};
use serde::{Deserialize, Serialize};

/// What to add to the monotonic clock, and since when that is only an assumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    boot: u64,
    offset_ms: i64,
    /// The offset is of a clock that was believed.
    is_certain: bool,
    /// Times from here on hang on `offset_ms`: when it turns out to be wrong, so are they.
    loose_from_ms: i64,
}

/// What was noted at `from_ms` or later was noted wrong by so many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    pub from_ms: i64,
    pub by_ms: i64,
}

/// A clock that is slewed drifts by less.
const NEWS_MS: u64 = 2_000;

impl Line {
    /// The line as of a stamp. `former` is the line that was kept, with the last moment that is known of it; `floor_ms`
    /// has certainly passed.
    pub fn follow(
        former: Option<(Self, i64)>,
        stamp: Stamp,
        floor_ms: i64,
    ) -> (Self, Option<Shift>) {
        match former {
            Some((line, _)) if line.boot == stamp.boot => line.go_on(stamp),
            Some((line, now_ms)) => line.start_again(stamp, now_ms.max(floor_ms), now_ms),
            None => (Self::begin(stamp, floor_ms), None),
        }
    }

    /// Unix milliseconds of a monotonic time of this boot.
    pub fn at(&self, mono_ms: u64) -> i64 {
        wall_at(mono_ms, self.offset_ms)
    }

    /// Whether it is that of a clock which was believed since the computer started.
    pub fn is_certain(&self) -> bool {
        self.is_certain
    }

    /// Whether it is of this start of the computer.
    pub fn is_of(&self, boot: u64) -> bool {
        self.boot == boot
    }

    fn begin(stamp: Stamp, floor_ms: i64) -> Self {
        let now_ms = if stamp.synced { stamp.wall_ms } else { stamp.wall_ms.max(floor_ms) };
        Self {
            boot: stamp.boot,
            offset_ms: now_ms.saturating_sub_unsigned(stamp.mono_ms),
            is_certain: stamp.synced,
            loose_from_ms: now_ms,
        }
    }

    fn go_on(mut self, stamp: Stamp) -> (Self, Option<Shift>) {
        if !stamp.synced {
            return (self, None);
        }
        let by_ms = stamp.offset_ms().saturating_sub(self.offset_ms);
        self.offset_ms = stamp.offset_ms();
        // What was an assumption is looked at again, even if it was right.
        let was_certain = std::mem::replace(&mut self.is_certain, true);
        if was_certain && by_ms.unsigned_abs() <= NEWS_MS {
            return (self, None);
        }
        let shift = Shift { from_ms: self.loose_from_ms, by_ms };
        self.loose_from_ms = self.loose_from_ms.saturating_add(by_ms);
        (self, Some(shift))
    }

    /// After a start of the computer. Nobody knows how long it was off, unless both times are certain.
    fn start_again(self, stamp: Stamp, floor_ms: i64, last_ms: i64) -> (Self, Option<Shift>) {
        let next = Self::begin(stamp, floor_ms);
        if self.is_certain {
            return (next, None);
        }
        let now_ms = next.at(stamp.mono_ms);
        if !stamp.synced {
            return (Self { loose_from_ms: self.loose_from_ms, ..next }, None);
        }
        let shift = Shift { from_ms: self.loose_from_ms, by_ms: now_ms.saturating_sub(last_ms) };
        let loose_from_ms = self.loose_from_ms.saturating_add(shift.by_ms);
        (Self { loose_from_ms, ..next }, Some(shift))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_795_176_000_000;

    fn stamp(boot: u64, mono_ms: u64, wall_ms: i64, synced: bool) -> Stamp {
        Stamp { boot, mono_ms, wall_ms, synced }
    }

    #[test]
    fn a_clock_that_starts_in_1970_is_put_right_with_all_that_was_noted() {
        let (line, _) = Line::follow(None, stamp(1, 1_000, 1_000, false), 500);
        assert_eq!(line.at(2_000), 2_000);

        let (line, shift) = Line::follow(Some((line, 2_000)), stamp(1, 5_000, NOON, true), 500);

        assert_eq!(shift, Some(Shift { from_ms: 1_000, by_ms: NOON - 5_000 }));
        assert_eq!(line.at(6_000), NOON + 1_000);
    }

    #[test]
    fn a_wall_clock_that_nobody_vouches_for_moves_nothing() {
        let (line, _) = Line::follow(None, stamp(1, 1_000, NOON, true), 0);

        let jumped = stamp(1, 2_000, NOON + 86_400_000, false);
        let (line, shift) = Line::follow(Some((line, NOON)), jumped, 0);

        assert_eq!((line.at(2_000), shift), (NOON + 1_000, None));
    }

    #[test]
    fn between_two_certain_times_a_computer_that_was_off_counts_as_it_was() {
        let (line, _) = Line::follow(None, stamp(1, 1_000, NOON, true), 0);

        let (line, shift) =
            Line::follow(Some((line, NOON)), stamp(2, 10, NOON + 3_600_000, true), 0);

        assert_eq!((line.at(10), shift), (NOON + 3_600_000, None));
    }

    #[test]
    fn a_start_without_time_goes_on_where_the_last_one_ended_and_is_put_right_later() {
        let (line, _) = Line::follow(None, stamp(1, 1_000, NOON, true), 0);
        let (line, shift) = Line::follow(Some((line, NOON + 60_000)), stamp(2, 10, 10, false), 0);
        assert_eq!((line.at(10), shift), (NOON + 60_000, None));

        let synced = stamp(2, 1_010, NOON + 7_200_000, true);
        let (_, shift) = Line::follow(Some((line, NOON + 61_000)), synced, 0);

        let by_ms = 7_200_000 - 61_000;
        assert_eq!(shift, Some(Shift { from_ms: NOON + 60_000, by_ms }));
    }
}
