//! Turning points of a movement, and what they count as.

/// Full movements reach this part of the reference.
const FULL: f64 = 0.6;
/// Partial ones reach this part.
const PARTIAL: f64 = 0.25;

/// Where the moving part was at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub at_ms: u64,
    pub mm: i16,
}

impl Point {
    pub fn distance(self, other: Self) -> u16 {
        self.mm.abs_diff(other.mm)
    }
}

/// A set that was found in positions. Times are those of the positions, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrengthSet {
    /// When the first movement began.
    pub started_ms: u64,
    /// When the last movement ended.
    pub ended_ms: u64,
    /// Full repetitions.
    pub reps: u16,
    /// Partial repetitions, and halts within full ones.
    pub partial_reps: u16,
    /// Range of motion: the median of the full movements, in millimetres.
    pub rom_mm: u16,
    /// Mean time of the movements away from where the set began, in milliseconds.
    pub out_ms: u32,
    /// Mean time of the movements back, in milliseconds. Pauses at the turning points count to the movement that follows.
    pub back_ms: u32,
}

/// Finds turning points: a turn counts when the way back is at least `threshold_mm`.
#[derive(Debug, Clone)]
pub(super) struct ZigZag {
    threshold_mm: u16,
    turns: Vec<Point>,
    course: Course,
}

#[derive(Debug, Clone, Copy)]
enum Course {
    /// Nothing has moved by the threshold yet: between these two.
    None {
        low: Point,
        high: Point,
    },
    /// The farthest point of the movement that is under way.
    Up(Point),
    Down(Point),
}

impl ZigZag {
    pub fn new(threshold_mm: u16, first: Point) -> Self {
        Self { threshold_mm, turns: Vec::new(), course: Course::None { low: first, high: first } }
    }

    pub fn push(&mut self, point: Point) {
        let is_turn = |from: Point| from.distance(point) >= self.threshold_mm;
        self.course = match self.course {
            Course::None { low, .. } if point.mm > low.mm && is_turn(low) => {
                self.turns.push(low);
                Course::Up(point)
            }
            Course::None { high, .. } if point.mm < high.mm && is_turn(high) => {
                self.turns.push(high);
                Course::Down(point)
            }
            // The latest of equals, so that a rest before the movement is no part of it.
            Course::None { low, high } => Course::None {
                low: if point.mm <= low.mm { point } else { low },
                high: if point.mm >= high.mm { point } else { high },
            },
            Course::Up(top) if point.mm > top.mm => Course::Up(point),
            Course::Up(top) if is_turn(top) => {
                self.turns.push(top);
                Course::Down(point)
            }
            Course::Down(bottom) if point.mm < bottom.mm => Course::Down(point),
            Course::Down(bottom) if is_turn(bottom) => {
                self.turns.push(bottom);
                Course::Up(point)
            }
            course => course,
        };
    }

    /// The turning points so far; the last is where the movement under way has got to.
    pub fn points(&self) -> Vec<Point> {
        let mut points = self.turns.clone();
        match self.course {
            Course::None { .. } => {}
            Course::Up(end) | Course::Down(end) => points.push(end),
        }
        points
    }

    pub fn len(&self) -> usize {
        self.turns.len()
    }
}

fn again(points: &[Point], threshold_mm: u16) -> Vec<Point> {
    let Some((&first, rest)) = points.split_first() else { return Vec::new() };
    let mut zigzag = ZigZag::new(threshold_mm.max(1), first);
    for &point in rest {
        zigzag.push(point);
    }
    zigzag.points()
}

/// What the turning points of a set count as; `None` if they are too small for one.
pub(super) fn count(points: &[Point], min_rom_mm: u16) -> Option<StrengthSet> {
    let reference_mm = reference(points)?;
    if reference_mm < min_rom_mm {
        return None;
    }
    let full = again(points, part(reference_mm, FULL));
    let partial = again(points, part(reference_mm, PARTIAL));
    let movements = full.len().saturating_sub(1);
    let halts = partial.len().saturating_sub(full.len());
    Some(StrengthSet {
        started_ms: points.first()?.at_ms,
        ended_ms: points.last()?.at_ms,
        reps: u16::try_from(movements / 2).unwrap_or(u16::MAX),
        partial_reps: u16::try_from(halts / 2).unwrap_or(u16::MAX),
        rom_mm: median(lengths(&full).collect())?,
        out_ms: mean_ms(full.windows(2).step_by(2)),
        back_ms: mean_ms(full.windows(2).skip(1).step_by(2)),
    })
}

fn lengths(points: &[Point]) -> impl Iterator<Item = u16> {
    points.windows(2).map(|pair| pair[0].distance(pair[1]))
}

fn reference(points: &[Point]) -> Option<u16> {
    let largest = lengths(points).max()?;
    median(lengths(points).filter(|length| *length >= largest / 2).collect())
}

fn median(mut lengths: Vec<u16>) -> Option<u16> {
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a u16 is a u16"
)]
fn part(length_mm: u16, part: f64) -> u16 {
    (f64::from(length_mm) * part).round() as u16
}

fn mean_ms<'a>(movements: impl Iterator<Item = &'a [Point]>) -> u32 {
    let (mut sum, mut count) = (0, 0);
    for movement in movements {
        sum += movement[1].at_ms.saturating_sub(movement[0].at_ms);
        count += 1;
    }
    u32::try_from(sum / u64::max(count, 1)).unwrap_or(u32::MAX)
}
