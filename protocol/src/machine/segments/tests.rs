//! Known exercises with known answers, and what holds for all.

use super::*;
use proptest::prelude::*;

/// A rower at 3.5 m/s that counts everything, a sample a second.
struct Rower {
    at_ms: i64,
    elapsed: i32,
    distance: i32,
    readings: Vec<Reading>,
}

impl Rower {
    fn new() -> Self {
        Self { at_ms: 1_000_000, elapsed: 0, distance: 0, readings: Vec::new() }
    }

    fn sample(&mut self, speed: i32, power: i32) {
        let mut fields = Fields::default();
        fields.set_scaled(Field::ElapsedS, self.elapsed);
        fields.set_scaled(Field::DistanceM, self.distance);
        fields.set_scaled(Field::SpeedMps, speed);
        fields.set_scaled(Field::PowerW, power);
        self.readings.push(Reading { at_ms: self.at_ms, fields });
    }

    fn row(mut self, seconds: i32, power: i32) -> Self {
        for _ in 0..seconds {
            self.at_ms += 1_000;
            self.elapsed += 10;
            self.distance += 35;
            self.sample(3_500, power);
        }
        self
    }

    fn pause(mut self, seconds: i32) -> Self {
        for _ in 0..seconds {
            self.at_ms += 1_000;
            self.sample(0, 0);
        }
        self
    }

    /// Nothing is heard for a while; the exercise goes on or not.
    fn gap(mut self, seconds: i32, rowing: bool) -> Self {
        self.at_ms += i64::from(seconds) * 1_000;
        if rowing {
            self.elapsed += seconds * 10;
            self.distance += seconds * 35;
        }
        self
    }

    fn reset(mut self) -> Self {
        (self.elapsed, self.distance) = (0, 0);
        self
    }

    fn found(&self) -> Vec<(f64, f64)> {
        let totals = |segment: Segment| {
            let total = |field| segment.totals.value(field).unwrap();
            (total(Field::ElapsedS), total(Field::DistanceM))
        };
        segments(&self.readings).into_iter().map(totals).collect()
    }
}

#[test]
fn an_exercise_has_its_time_distance_averages_and_maxima() {
    let rower = Rower::new().pause(20).row(60, 1_500).row(60, 2_500).pause(30);

    let found = segments(&rower.readings);

    let [segment] = found[..] else { panic!("{found:?}") };
    assert_eq!(rower.found(), [(120.0, 420.0)]);
    assert_eq!((segment.started_ms, segment.ended_ms), (1_020_000, 1_140_000));
    assert_eq!(segment.average.scaled(Field::SpeedMps), Some(3_500));
    assert_eq!(segment.maximum.scaled(Field::PowerW), Some(2_500));
    let mean = segment.average.scaled(Field::PowerW).unwrap();
    assert!((1_990..=2_020).contains(&mean), "{mean}");
}

#[test]
fn a_pause_is_part_of_it_but_not_of_its_time() {
    let rower = Rower::new().row(60, 1_500).pause(170).row(60, 1_500).pause(10);

    assert_eq!(rower.found(), [(120.0, 420.0)]);
    assert_eq!(segments(&rower.readings)[0].average.scaled(Field::PowerW), Some(1_500));
}

#[test]
fn after_three_minutes_without_work_it_is_over() {
    let rower = Rower::new().row(60, 1_500).pause(200).row(90, 1_500);

    assert_eq!(rower.found(), [(60.0, 210.0), (89.0, 311.5)]);
}

#[test]
fn a_reset_is_the_next_member() {
    let rower = Rower::new().row(100, 1_500).pause(5).reset().row(50, 1_500);

    let found = segments(&rower.readings);

    assert_eq!(rower.found(), [(100.0, 350.0), (50.0, 175.0)]);
    assert!(found[1].started_ms >= found[0].ended_ms);
}

#[test]
fn a_gap_ends_an_exercise_only_if_the_console_stood_still() {
    let goes_on = Rower::new().row(60, 1_500).gap(600, true).row(60, 1_500);
    let stood = Rower::new().row(60, 1_500).gap(600, false).row(60, 1_500);

    assert_eq!(goes_on.found(), [(720.0, 2_520.0)]);
    assert_eq!(stood.found(), [(60.0, 210.0), (59.0, 206.5)]);
}

#[test]
fn a_step_over_the_belt_is_none() {
    assert!(Rower::new().row(10, 500).pause(300).found().is_empty());
}

#[test]
fn a_machine_that_only_tells_its_speed_is_added_up() {
    let readings: Vec<Reading> = (0..=100)
        .map(|second| {
            let mut fields = Fields::default();
            fields.set(Field::SpeedMps, 2.5);
            Reading { at_ms: second * 1_000, fields }
        })
        .collect();

    let found = segments(&readings);

    assert_eq!(found[0].totals.value(Field::DistanceM), Some(250.0));
    assert_eq!(found[0].totals.value(Field::ElapsedS), Some(100.0));
}

#[test]
fn a_strength_machine_has_none() {
    let mut fields = Fields::default();
    fields.set(Field::Reps, 8.0);
    fields.set(Field::WeightKg, 40.0);
    let readings: Vec<Reading> =
        (0..100).map(|second| Reading { at_ms: second * 1_000, fields }).collect();

    assert!(segments(&readings).is_empty());
}

fn reading() -> impl Strategy<Value = (i64, Fields)> {
    let values = prop::collection::vec(prop::option::of(0..6_000_i32), FIELDS.len());
    (0..400_000_i64, values).prop_map(|(gap_ms, values)| {
        let mut fields = Fields::default();
        for (spec, value) in FIELDS.iter().zip(values) {
            if let Some(value) = value {
                fields.set_scaled(spec.field, value);
            }
        }
        (gap_ms, fields)
    })
}

fn readings() -> impl Strategy<Value = Vec<Reading>> {
    prop::collection::vec(reading(), 0..120).prop_map(|steps| {
        let mut at_ms = 0;
        let reading = |(gap_ms, fields)| {
            at_ms += gap_ms;
            Reading { at_ms, fields }
        };
        steps.into_iter().map(reading).collect()
    })
}

proptest! {
    #[test]
    fn chunks_give_the_same_as_the_whole(readings in readings(), chunk in 1..50_usize) {
        let mut segmenter = Segmenter::new();
        let mut found = Vec::new();
        for chunk in readings.chunks(chunk) {
            // What a later call goes on with is the whole state.
            let mut next = segmenter.clone();
            found.extend(chunk.iter().filter_map(|reading| next.push(reading)));
            segmenter = next;
        }
        found.extend(segmenter.finish());

        prop_assert_eq!(found, segments(&readings));
    }

    #[test]
    fn samples_that_come_twice_change_nothing(readings in readings()) {
        let twice: Vec<Reading> = readings.iter().flat_map(|reading| [*reading; 2]).collect();

        prop_assert_eq!(segments(&twice), segments(&readings));
    }

    #[test]
    fn segments_are_in_order_and_apart(readings in readings()) {
        let found = segments(&readings);

        for segment in &found {
            prop_assert!(segment.started_ms <= segment.ended_ms);
            for field in PRESENT_VALUES {
                prop_assert!(segment.average.scaled(field) <= segment.maximum.scaled(field));
            }
        }
        for pair in found.windows(2) {
            prop_assert!(pair[0].ended_ms <= pair[1].started_ms);
        }
    }

    #[test]
    fn another_origin_of_time_shifts_them_and_no_more(readings in readings(), shift in 0..1_000_000_i64) {
        let shifted: Vec<Reading> = readings
            .iter()
            .map(|reading| Reading { at_ms: reading.at_ms + shift, ..*reading })
            .collect();

        let expected: Vec<Segment> = segments(&readings)
            .into_iter()
            .map(|segment| Segment {
                started_ms: segment.started_ms + shift,
                ended_ms: segment.ended_ms + shift,
                ..segment
            })
            .collect();

        prop_assert_eq!(segments(&shifted), expected);
    }
}
