//! Workout segments of a cardio machine, out of its samples: from the first stroke to the last, one exercise each.
//!
//! - A segment begins with the first sample that shows work: speed, cadence, stroke rate or power, or a counter that grew.
//! - It ends when a counter falls back (the console was reset, so the next member has come), or after three minutes without
//!   work. A shorter pause is part of it, but not of its time, distance and averages.
//! - A gap in the samples is no end if the console's own time went on meanwhile.
//! - Less than 30 s and 50 m is none: somebody stepped over the belt.

use super::{FIELDS, Field, Fields};

/// Without work for so long, and the exercise is over.
const PAUSE_MS: i64 = 180_000;

/// A sample stands for at most this long after it, where no counter tells better.
const HOLD_MS: i64 = 10_000;

/// A counter that falls by less has been corrected by the console: a second, two metres, two kilocalories.
const CORRECTIONS: [(Field, i32); 3] =
    [(Field::ElapsedS, 10), (Field::DistanceM, 20), (Field::EnergyKcal, 20)];

/// An exercise whose own time is this young when it is first seen has been seen from its beginning, in tenths of a second.
const YOUNG: i32 = 600;

/// The shortest segment: in tenths of a second, or else in tenths of a metre.
const SHORTEST: (i32, i32) = (300, 500);

/// Above these something moves, scaled as [`FIELDS`] says.
const AT_WORK: [(Field, i32); 4] =
    [(Field::SpeedMps, 100), (Field::CadenceRpm, 0), (Field::StrokeRateSpm, 0), (Field::PowerW, 0)];

/// What has an average and a maximum.
const PRESENT_VALUES: [Field; 7] = [
    Field::SpeedMps,
    Field::InclinePct,
    Field::Resistance,
    Field::CadenceRpm,
    Field::StrokeRateSpm,
    Field::PowerW,
    Field::HeartRateBpm,
];

/// A sample and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Milliseconds of any clock that all samples share.
    pub at_ms: i64,
    /// What was measured.
    pub fields: Fields,
}

/// One exercise at one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// When it began, by the clock of the samples.
    pub started_ms: i64,
    /// When the last work was seen.
    pub ended_ms: i64,
    /// `elapsed_s` without pauses, `distance_m` and, if the machine tells it, `energy_kcal`.
    pub totals: Fields,
    /// Means over the time at work, of what is measured from moment to moment.
    pub average: Fields,
    /// The largest values at work.
    pub maximum: Fields,
}

/// Finds segments in samples of one machine that come in the order of their times.
#[derive(Debug, Clone, Default)]
pub struct Segmenter {
    last: Option<Reading>,
    open: Option<Open>,
    /// The next segment cannot have begun before.
    free_from_ms: Option<i64>,
}

/// The segment under way.
#[derive(Debug, Clone)]
struct Open {
    started_ms: i64,
    worked_ms: i64,
    totals: Fields,
    /// Metres by speed and time, in micrometres, for machines that do not count them.
    travelled_um: i64,
    maximum: Fields,
    /// Scaled value times milliseconds, and milliseconds, by [`PRESENT_VALUES`].
    sums: [(i64, i64); PRESENT_VALUES.len()],
}

impl Segmenter {
    /// A segmenter that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a sample, and gives the segment that ended before it. A sample that is not newer than the last is ignored.
    pub fn push(&mut self, reading: &Reading) -> Option<Segment> {
        if self.last.is_some_and(|last| reading.at_ms <= last.at_ms) {
            return None;
        }
        let is_reset = self.last.is_some_and(|last| falls_back(&last.fields, &reading.fields));
        let is_over = is_reset || self.has_paused(reading);
        let ended = if is_over { self.finish() } else { None };
        let before = if is_reset { None } else { self.last };
        let is_work = is_at_work(reading) || before.is_some_and(|last| grew(&last, reading));
        match (&mut self.open, before) {
            (Some(open), Some(last)) => open.extend(&last, reading, is_work),
            _ if is_work => self.open = Some(Open::begin(reading, self.free_from_ms)),
            _ => {}
        }
        self.last = Some(*reading);
        ended
    }

    /// Ends the segment under way, if it is one.
    pub fn finish(&mut self) -> Option<Segment> {
        let open = self.open.take()?;
        self.free_from_ms = Some(open.worked_ms);
        open.close()
    }

    fn has_paused(&self, reading: &Reading) -> bool {
        let (Some(open), Some(last)) = (&self.open, &self.last) else { return false };
        if reading.at_ms - open.worked_ms < PAUSE_MS {
            return false;
        }
        // The console's own time went on through a gap in the samples.
        let gap_ms = reading.at_ms - last.at_ms;
        let went_on = increase(Field::ElapsedS, last, reading)
            .is_some_and(|tenths| i64::from(tenths) * 100 >= gap_ms / 2);
        !(gap_ms >= PAUSE_MS && went_on)
    }
}

impl Open {
    fn begin(reading: &Reading, free_from_ms: Option<i64>) -> Self {
        let mut totals = Fields::default();
        totals.set_scaled(Field::ElapsedS, 0);
        let mut started_ms = reading.at_ms;
        if let Some(elapsed) = reading.fields.scaled(Field::ElapsedS).filter(|it| *it <= YOUNG) {
            let began_ms = reading.at_ms - i64::from(elapsed) * 100;
            started_ms = free_from_ms.map_or(began_ms, |free_ms| began_ms.max(free_ms));
            for (counter, _) in CORRECTIONS {
                if let Some(count) = reading.fields.scaled(counter) {
                    totals.set_scaled(counter, count);
                }
            }
        }
        let mut open = Self {
            started_ms,
            worked_ms: reading.at_ms,
            totals,
            travelled_um: 0,
            maximum: Fields::default(),
            sums: [(0, 0); PRESENT_VALUES.len()],
        };
        open.weigh(reading, 1);
        open
    }

    fn extend(&mut self, last: &Reading, reading: &Reading, is_work: bool) {
        let passed_ms = (reading.at_ms - last.at_ms).min(HOLD_MS);
        for (counter, _) in CORRECTIONS {
            let own = increase(counter, last, reading);
            let guessed = match counter {
                Field::ElapsedS if is_work => i32::try_from(passed_ms / 100).ok(),
                _ => None,
            };
            if let Some(more) = own.or(guessed) {
                let sum = self.totals.scaled(counter).unwrap_or(0).saturating_add(more);
                self.totals.set_scaled(counter, sum);
            }
        }
        if is_work {
            self.worked_ms = reading.at_ms;
            let speed = reading.fields.scaled(Field::SpeedMps).unwrap_or(0);
            self.travelled_um += i64::from(speed) * passed_ms;
            self.weigh(reading, passed_ms);
        }
    }

    fn weigh(&mut self, reading: &Reading, passed_ms: i64) {
        for (field, sum) in PRESENT_VALUES.into_iter().zip(&mut self.sums) {
            let Some(value) = reading.fields.scaled(field) else { continue };
            sum.0 += i64::from(value) * passed_ms;
            sum.1 += passed_ms;
            let largest = self.maximum.scaled(field).map_or(value, |known| known.max(value));
            self.maximum.set_scaled(field, largest);
        }
    }

    fn close(mut self) -> Option<Segment> {
        if self.totals.scaled(Field::DistanceM).is_none() && self.travelled_um > 0 {
            let tenths = i32::try_from(self.travelled_um / 100_000).unwrap_or(i32::MAX);
            self.totals.set_scaled(Field::DistanceM, tenths);
        }
        let total = |field| self.totals.scaled(field).unwrap_or(0);
        let is_short = total(Field::ElapsedS) < SHORTEST.0 && total(Field::DistanceM) < SHORTEST.1;
        if is_short {
            return None;
        }
        let mut average = Fields::default();
        for (field, (sum, weight_ms)) in PRESENT_VALUES.into_iter().zip(self.sums) {
            if weight_ms > 0 {
                average.set_scaled(field, i32::try_from(sum / weight_ms).unwrap_or(i32::MAX));
            }
        }
        let (started_ms, ended_ms) = (self.started_ms, self.worked_ms);
        let (totals, maximum) = (self.totals, self.maximum);
        Some(Segment { started_ms, ended_ms, totals, average, maximum })
    }
}

/// All segments of samples in the order of their times.
pub fn segments<'a>(readings: impl IntoIterator<Item = &'a Reading>) -> Vec<Segment> {
    let mut segmenter = Segmenter::new();
    let mut found: Vec<Segment> =
        readings.into_iter().filter_map(|reading| segmenter.push(reading)).collect();
    found.extend(segmenter.finish());
    found
}

fn is_at_work(reading: &Reading) -> bool {
    AT_WORK.iter().any(|(field, above)| reading.fields.scaled(*field).is_some_and(|it| it > *above))
}

/// Whether distance or energy grew. Time alone does not show work: some consoles count on without it.
fn grew(last: &Reading, reading: &Reading) -> bool {
    [Field::DistanceM, Field::EnergyKcal]
        .into_iter()
        .any(|counter| increase(counter, last, reading).is_some_and(|more| more > 0))
}

/// By how much a counter grew, if both samples have it; a correction downwards is none.
fn increase(counter: Field, last: &Reading, reading: &Reading) -> Option<i32> {
    debug_assert!(FIELDS[counter as usize].is_counter, "only counters grow");
    let (before, now) = (last.fields.scaled(counter)?, reading.fields.scaled(counter)?);
    Some(now.saturating_sub(before).max(0))
}

fn falls_back(last: &Fields, now: &Fields) -> bool {
    CORRECTIONS.iter().any(|(counter, correction)| {
        let (Some(before), Some(now)) = (last.scaled(*counter), now.scaled(*counter)) else {
            return false;
        };
        now < before.saturating_sub(*correction)
    })
}

#[cfg(test)]
mod tests;
