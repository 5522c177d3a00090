//! One stream of positions: where a set begins and ends, and how many repetitions it has so far.

use super::Settings;
use super::turns::{Point, StrengthSet, ZigZag, count};

/// Less is noise.
const NOISE_MM: u16 = 20;

/// So many turning points are a set that never ends.
const MOST_TURNS: usize = 2_000;

/// A set is cut after this time.
const LONGEST_MS: u64 = 600_000;

/// Finds sets in positions that come in the order of their times.
#[derive(Debug, Clone)]
pub struct Detector {
    settings: Settings,
    /// The last two positions as they came, for the filter.
    recent: [Option<Point>; 2],
    course: Course,
}

/// Movements that have ended, and the set that they were, if they were one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended(pub Option<StrengthSet>);

#[derive(Debug, Clone)]
enum Course {
    /// Around here, if anywhere; the time is the last at which it was still there.
    Resting(Option<Point>),
    Moving(Movement),
}

#[derive(Debug, Clone)]
struct Movement {
    zigzag: ZigZag,
    /// Where and when something moved last.
    moved: Point,
    started_ms: u64,
    seen_ms: u64,
}

impl Detector {
    /// A detector that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        Self { settings, recent: [None; 2], course: Course::Resting(None) }
    }

    /// Takes a position. What it returns ended *before* this position, which may begin the next set.
    pub fn push(&mut self, at_ms: u64, mm: i16) -> Option<Ended> {
        let ended = self.is_over(at_ms).then(|| Ended(self.finish()));
        let raw = Point { at_ms, mm };
        let point = self.filter(raw);
        match &mut self.course {
            Course::Resting(rest) => {
                let anchor = rest.get_or_insert(point);
                if anchor.distance(point) < NOISE_MM / 2 {
                    anchor.at_ms = at_ms;
                } else if anchor.distance(point) >= NOISE_MM {
                    let mut zigzag = ZigZag::new(NOISE_MM, *anchor);
                    zigzag.push(point);
                    let started_ms = anchor.at_ms;
                    let movement = Movement { zigzag, moved: point, started_ms, seen_ms: at_ms };
                    self.course = Course::Moving(movement);
                }
            }
            Course::Moving(movement) => movement.push(point),
        }
        ended
    }

    /// Ends what is under way, as if it had paused: `None` if that is no set.
    pub fn finish(&mut self) -> Option<StrengthSet> {
        let found = self.so_far();
        self.forget();
        found
    }

    /// Forgets everything, also a set under way.
    pub fn forget(&mut self) {
        *self = Self::new(self.settings);
    }

    /// What the set under way would be if it ended now.
    pub fn so_far(&self) -> Option<StrengthSet> {
        match &self.course {
            Course::Resting(_) => None,
            Course::Moving(movement) => {
                let set = count(&movement.zigzag.points(), self.settings.min_rom_mm);
                set.filter(|set| set.reps > 0)
            }
        }
    }

    /// When something moved last, if a set may be under way.
    pub fn moved_ms(&self) -> Option<u64> {
        match &self.course {
            Course::Resting(_) => None,
            Course::Moving(movement) => Some(movement.moved.at_ms),
        }
    }

    fn is_over(&self, now_ms: u64) -> bool {
        let Course::Moving(movement) = &self.course else { return false };
        now_ms.saturating_sub(movement.moved.at_ms) >= self.settings.pause_ms
            || movement.seen_ms.saturating_sub(movement.started_ms) >= LONGEST_MS
            || movement.zigzag.len() >= MOST_TURNS
    }

    /// The middle one of the last three: a single wild value is never it.
    fn filter(&mut self, point: Point) -> Point {
        let [before, last] = self.recent;
        self.recent = [last, Some(point)];
        let (Some(before), Some(last)) = (before, last) else { return point };
        let mut three = [before.mm, last.mm, point.mm];
        three.sort_unstable();
        Point { mm: three[1], ..point }
    }
}

impl Movement {
    fn push(&mut self, point: Point) {
        self.seen_ms = point.at_ms;
        if self.moved.distance(point) >= NOISE_MM {
            self.moved = point;
        }
        self.zigzag.push(point);
    }
}
