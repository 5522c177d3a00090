//! The roll-up of an hour: pure, and the same whatever the order and repetition in which samples arrived.
//!
//! Counters (distance, energy …) are differences to the sample before, at most [`LOOK_BACK_MS`] earlier. One
//! that fell was reset and counts from 0; if `elapsed_s` fell, a new exercise began and all of them were.

use protocol::machine::{FIELDS, Field, Fields, Sample};
use std::cmp::Ordering;
use std::collections::HashSet;

/// A sample's predecessor is at most this much older. The end of an hour concerns the next one by this much.
pub const LOOK_BACK_MS: i64 = 10 * 60_000;
pub const HOUR_MS: i64 = 3_600_000;

/// A sample and when it was taken, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub at_ms: i64,
    pub sample: Sample,
}

/// An hour in its three resolutions; steps without samples are not there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hour {
    pub ten_seconds: Vec<Step>,
    pub minutes: Vec<Step>,
    /// One, or none without samples.
    pub whole: Vec<Step>,
}

/// What was measured in a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub start_ms: i64,
    pub samples: i32,
    /// In the order of [`FIELDS`].
    pub fields: [Statistics; FIELDS.len()],
}

/// Of one field, in its resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    pub count: i32,
    pub sum: i64,
    pub min: i32,
    pub max: i32,
    pub last: i32,
    /// Of counters: by how much it grew.
    pub gain: i64,
}

/// Rolls up the hour that starts at `start_ms` from all samples of it and of [`LOOK_BACK_MS`] before it.
pub fn roll_up(mut samples: Vec<Taken>, start_ms: i64) -> Hour {
    samples.retain(|taken| (start_ms - LOOK_BACK_MS..start_ms + HOUR_MS).contains(&taken.at_ms));
    in_order(&mut samples);
    let mut hour = Hour::default();
    let mut counters = Counters::default();
    for taken in &samples {
        let gains = counters.advance(taken);
        if taken.at_ms >= start_ms {
            add(&mut hour.ten_seconds, 10_000, taken, &gains);
            add(&mut hour.minutes, 60_000, taken, &gains);
            add(&mut hour.whole, HOUR_MS, taken, &gains);
        }
    }
    hour
}

type Gains = [i64; FIELDS.len()];

/// By time, and without repeats: the same number of the same boot, or the same in everything.
pub fn in_order(samples: &mut Vec<Taken>) {
    samples.sort_by(by_time);
    samples.dedup();
    let mut seen = HashSet::with_capacity(samples.len());
    samples
        .retain(|taken| taken.sample.boot.is_none_or(|boot| seen.insert((boot, taken.sample.seq))));
}

/// A total order, so that equal sets of samples end up in equal lists.
fn by_time(a: &Taken, b: &Taken) -> Ordering {
    let key = |taken: &Taken| {
        let Sample { boot, seq, at_ms, uptime_ms, .. } = taken.sample;
        (taken.at_ms, boot, seq, at_ms, uptime_ms)
    };
    let values =
        |taken: &Taken| FIELDS.each_ref().map(|spec| taken.sample.fields.scaled(spec.field));
    key(a).cmp(&key(b)).then_with(|| values(a).cmp(&values(b)))
}

/// The last known value of every counter, and when it was.
#[derive(Default)]
struct Counters([Option<(i64, i32)>; FIELDS.len()]);

impl Counters {
    fn advance(&mut self, taken: &Taken) -> Gains {
        let fields = &taken.sample.fields;
        let is_new_exercise = self
            .change(Field::ElapsedS, taken.at_ms, fields)
            .is_some_and(|(before, now)| now < before);
        let gains = FIELDS.each_ref().map(|spec| {
            let change = self.change(spec.field, taken.at_ms, fields).filter(|_| spec.is_counter);
            change.map_or(0, |(before, now)| {
                let is_reset = is_new_exercise || now < before;
                i64::from(now) - if is_reset { 0 } else { i64::from(before) }
            })
        });
        for (known, spec) in self.0.iter_mut().zip(&FIELDS) {
            if let Some(value) = fields.scaled(spec.field) {
                *known = Some((taken.at_ms, value));
            }
        }
        gains
    }

    /// What a field was a short time before, and is now.
    fn change(&self, field: Field, at_ms: i64, fields: &Fields) -> Option<(i32, i32)> {
        let (before_ms, before) = self.0[field as usize]?;
        (at_ms - before_ms <= LOOK_BACK_MS).then_some((before, fields.scaled(field)?))
    }
}

/// Adds a sample to the step it lies in. Samples come in order.
fn add(steps: &mut Vec<Step>, step_ms: i64, taken: &Taken, gains: &Gains) {
    let start_ms = taken.at_ms.div_euclid(step_ms) * step_ms;
    if steps.last().is_none_or(|step| step.start_ms != start_ms) {
        let fields = [Statistics::default(); FIELDS.len()];
        steps.push(Step { start_ms, samples: 0, fields });
    }
    let Some(step) = steps.last_mut() else { return };
    step.samples += 1;
    for ((statistics, spec), gain) in step.fields.iter_mut().zip(&FIELDS).zip(gains) {
        if let Some(value) = taken.sample.fields.scaled(spec.field) {
            statistics.add(value, *gain);
        }
    }
}

impl Statistics {
    fn add(&mut self, value: i32, gain: i64) {
        let is_first = self.count == 0;
        self.count += 1;
        self.sum += i64::from(value);
        self.min = if is_first { value } else { self.min.min(value) };
        self.max = if is_first { value } else { self.max.max(value) };
        self.last = value;
        self.gain += gain;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START_MS: i64 = 1_000 * HOUR_MS;

    fn taken(after_ms: i64, seq: u64, values: &[(Field, i32)]) -> Taken {
        let mut sample = Sample { seq, boot: Some(1), ..Sample::default() };
        for &(field, value) in values {
            sample.fields.set_scaled(field, value);
        }
        Taken { at_ms: START_MS + after_ms, sample }
    }

    fn distance(after_ms: i64, seq: u64, value: i32) -> Taken {
        taken(after_ms, seq, &[(Field::DistanceM, value)])
    }

    fn gain(hour: &Hour) -> i64 {
        hour.whole[0].fields[Field::DistanceM as usize].gain
    }

    #[test]
    fn a_counter_that_falls_was_reset() {
        let samples = vec![distance(0, 1, 100), distance(1_000, 2, 130), distance(2_000, 3, 20)];

        assert_eq!(gain(&roll_up(samples, START_MS)), 30 + 20);
    }

    #[test]
    fn a_new_exercise_resets_counters_that_have_already_passed_the_old_value() {
        let both = |after_ms, seq, elapsed, distance| {
            taken(after_ms, seq, &[(Field::ElapsedS, elapsed), (Field::DistanceM, distance)])
        };
        let samples = vec![both(0, 1, 500, 10), both(1_000, 2, 20, 40)];

        assert_eq!(gain(&roll_up(samples, START_MS)), 40);
    }

    #[test]
    fn what_grew_over_the_turn_of_the_hour_counts_in_the_new_one() {
        let samples = vec![distance(-1_000, 1, 100), distance(500, 2, 107)];

        assert_eq!(gain(&roll_up(samples, START_MS)), 7);
    }

    #[test]
    fn steps_tell_average_extremes_and_the_last_value() {
        let power = |after_ms, seq, value| taken(after_ms, seq, &[(Field::PowerW, value)]);
        let samples = vec![power(0, 1, 1_000), power(9_999, 2, 3_000), power(10_000, 3, 2_000)];

        let hour = roll_up(samples, START_MS);

        let first = hour.ten_seconds[0].fields[Field::PowerW as usize];
        assert_eq!(
            (first.count, first.sum, first.min, first.max, first.last),
            (2, 4_000, 1_000, 3_000, 3_000)
        );
        assert_eq!(hour.ten_seconds.len(), 2);
        assert_eq!(hour.minutes[0].fields[Field::PowerW as usize].sum, 6_000);
    }

    fn some_samples() -> impl Strategy<Value = Vec<Taken>> {
        let one = (-900_000..4_000_000_i64, 0..500_u64, any::<bool>(), 0..5_000_i32, 0..900_i32);
        proptest::collection::vec(one, 0..60).prop_map(|samples| {
            let sample = |(after_ms, seq, has_boot, value, elapsed): (i64, u64, bool, i32, i32)| {
                let fields = [(Field::DistanceM, value), (Field::ElapsedS, elapsed)];
                let mut taken = taken(after_ms, seq, &fields);
                taken.sample.boot = has_boot.then_some(7);
                taken
            };
            samples.into_iter().map(sample).collect()
        })
    }

    proptest! {
        #[test]
        fn order_and_repetition_of_arrival_do_not_matter(
            samples in some_samples(),
            seed in any::<u64>(),
        ) {
            let mut arrived = [samples.clone(), samples.clone()].concat();
            arrived.sort_by_key(|taken| taken.sample.seq.wrapping_mul(seed | 1) ^ taken.at_ms.cast_unsigned());

            prop_assert_eq!(roll_up(arrived, START_MS), roll_up(samples, START_MS));
        }

        #[test]
        fn finer_steps_add_up_to_the_hour(samples in some_samples()) {
            let hour = roll_up(samples, START_MS);
            let total = |steps: &[Step]| {
                let distance = |step: &Step| step.fields[Field::DistanceM as usize];
                let of = |step: &Step| (i64::from(step.samples), distance(step).gain, distance(step).sum);
                steps.iter().map(of).fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2))
            };

            prop_assert_eq!(total(&hour.ten_seconds), total(&hour.whole));
            prop_assert_eq!(total(&hour.minutes), total(&hour.whole));
        }
    }
}
