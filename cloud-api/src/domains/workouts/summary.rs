//! From samples and sets to exercises: pure, and the same whatever the order and repetition in which they came.

use super::heart::{self, Heart};
use protocol::machine::Field;
use protocol::machine::segments::{Reading, Segment, segments};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A set as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSet {
    pub machine_id: Uuid,
    pub device_boot: Option<i64>,
    pub device_seq: i64,
    pub at: OffsetDateTime,
    /// What its machine calls the exercise.
    pub exercise: Option<String>,
    pub machine_name: String,
    pub reps: i32,
    pub weight_cg: Option<i64>,
    pub duration_ms: Option<i64>,
    pub rom_mm: Option<i32>,
    /// It came more than a week after it was done.
    pub is_late: bool,
}

/// A stretch in which somebody had a machine.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// The link, or what staff decided.
    pub id: Uuid,
    pub machine_id: Uuid,
    pub machine_name: String,
    /// In the order of their times, none twice.
    pub readings: Vec<Reading>,
    pub is_late: bool,
}

/// A set of an exercise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Set {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    #[schema(example = 10)]
    pub reps: i32,
    #[schema(example = 62.5)]
    pub weight_kg: Option<f64>,
    #[schema(example = 41.5)]
    pub duration_s: Option<f64>,
    pub rom_mm: Option<i32>,
    /// What could be lifted once, by Epley (1985); null without a weight and beyond 12 repetitions.
    #[schema(example = 83.3)]
    pub estimated_1rm_kg: Option<f64>,
    /// Came more than a week late: it is no record.
    pub is_late: bool,
}

/// What was done in one go, on machines that count metres and watts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Effort {
    /// Without pauses.
    #[schema(example = 1200.0)]
    pub moving_s: f64,
    #[schema(example = 4210.0)]
    pub distance_m: Option<f64>,
    #[schema(example = 210.0)]
    pub energy_kcal: Option<f64>,
    #[schema(example = 285.0)]
    pub pace_s_per_km: Option<f64>,
    #[schema(example = 3.5)]
    pub average_speed_mps: Option<f64>,
    pub maximum_speed_mps: Option<f64>,
    #[schema(example = 152.0)]
    pub average_power_w: Option<f64>,
    pub maximum_power_w: Option<f64>,
    #[schema(example = 82.0)]
    pub average_cadence_rpm: Option<f64>,
    pub average_stroke_rate_spm: Option<f64>,
}

/// An exercise of a workout.
#[derive(Debug, Clone, PartialEq)]
pub struct Exercise {
    /// What records are kept by.
    pub key: String,
    pub name: String,
    pub machine_id: Uuid,
    /// The stretch of an effort.
    pub stretch_id: Option<Uuid>,
    pub started_at: OffsetDateTime,
    pub ended_at: OffsetDateTime,
    pub sets: Vec<Set>,
    pub effort: Option<Effort>,
    pub heart: Option<Heart>,
    pub is_late: bool,
}

/// The exercises of a workout, in the order in which they began.
pub fn exercises(
    stretches: &[Stretch],
    sets: Vec<StoredSet>,
    highest_bpm: Option<f64>,
) -> Vec<Exercise> {
    let mut exercises = strength(sets);
    exercises.extend(stretches.iter().filter_map(|stretch| effort(stretch, highest_bpm)));
    exercises.sort_by(|one, other| {
        (one.started_at, &one.key, one.stretch_id).cmp(&(
            other.started_at,
            &other.key,
            other.stretch_id,
        ))
    });
    exercises
}

/// Sets by their exercise.
fn strength(mut sets: Vec<StoredSet>) -> Vec<Exercise> {
    sets.sort_by_key(order);
    let mut seen = HashSet::new();
    // A device numbers what it tells: the same number is the same set, whichever way it came.
    sets.retain(|set| {
        set.device_boot.is_none_or(|boot| seen.insert((set.machine_id, boot, set.device_seq)))
    });
    let mut exercises: Vec<Exercise> = Vec::new();
    for stored in sets {
        let name = stored.exercise.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| kind_of(&stored.machine_name)).to_owned();
        let key = key_of(&name);
        let set = Set::of(&stored);
        match exercises.iter_mut().find(|known| known.key == key) {
            Some(known) => {
                known.ended_at = stored.at;
                known.is_late |= stored.is_late;
                known.sets.push(set);
            }
            None => exercises.push(Exercise {
                key,
                name,
                machine_id: stored.machine_id,
                stretch_id: None,
                started_at: stored.at,
                ended_at: stored.at,
                sets: vec![set],
                effort: None,
                heart: None,
                is_late: stored.is_late,
            }),
        }
    }
    exercises
}

fn order(set: &StoredSet) -> (OffsetDateTime, Uuid, Option<i64>, i64, i32, Option<i64>) {
    (set.at, set.machine_id, set.device_boot, set.device_seq, set.reps, set.weight_cg)
}

impl Set {
    #[expect(clippy::cast_precision_loss, reason = "weights and times are far below 2^52")]
    fn of(stored: &StoredSet) -> Self {
        let weight_kg = stored.weight_cg.map(|weight| weight as f64 / 100.0);
        Self {
            at: stored.at,
            reps: stored.reps,
            weight_kg,
            duration_s: stored.duration_ms.map(|duration| duration as f64 / 1_000.0),
            rom_mm: stored.rom_mm,
            estimated_1rm_kg: weight_kg.and_then(|weight| estimated_1rm(weight, stored.reps)),
            is_late: stored.is_late,
        }
    }

    /// Load times repetitions.
    pub fn volume_kg(&self) -> f64 {
        self.weight_kg.unwrap_or(0.0) * f64::from(self.reps)
    }
}

/// What could be lifted once: Epley 1985, and one repetition is what it is. Beyond twelve it tells nothing.
pub fn estimated_1rm(weight_kg: f64, reps: i32) -> Option<f64> {
    match reps {
        _ if weight_kg <= 0.0 => None,
        1 => Some(weight_kg),
        2..=12 => Some(weight_kg * (1.0 + f64::from(reps) / 30.0)),
        _ => None,
    }
}

/// What a machine is, without which one it is: "Treadmill 3" is a treadmill.
fn kind_of(machine_name: &str) -> &str {
    let kind = machine_name.trim_end_matches(|letter: char| {
        letter.is_ascii_digit() || letter.is_whitespace() || matches!(letter, '#' | '-' | '_' | '.')
    });
    if kind.is_empty() { machine_name } else { kind }
}

/// Names that differ in case and blanks only are one.
fn key_of(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn effort(stretch: &Stretch, highest_bpm: Option<f64>) -> Option<Exercise> {
    let found = segments(&stretch.readings);
    let (first, last) = (found.first()?, found.last()?);
    let name = kind_of(&stretch.machine_name).to_owned();
    Some(Exercise {
        key: key_of(&name),
        name,
        machine_id: stretch.machine_id,
        stretch_id: Some(stretch.id),
        started_at: crate::clock::at_ms(first.started_ms),
        ended_at: crate::clock::at_ms(last.ended_ms),
        sets: Vec::new(),
        effort: Some(Effort::of(&found)),
        heart: heart::sum_up(&stretch.readings, highest_bpm),
        is_late: stretch.is_late,
    })
}

impl Effort {
    fn of(found: &[Segment]) -> Self {
        let total = |field| {
            let values = found.iter().filter_map(|segment| segment.totals.value(field));
            values.reduce(|sum, value| sum + value)
        };
        let largest = |field| {
            let values = found.iter().filter_map(|segment| segment.maximum.value(field));
            values.reduce(f64::max)
        };
        let moving = |segment: &Segment| segment.totals.value(Field::ElapsedS).unwrap_or(0.0);
        let mean = |field| {
            let weighed = found.iter().filter_map(|segment| {
                Some((segment.average.value(field)? * moving(segment), moving(segment)))
            });
            let (sum, weight) = weighed.fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
            (weight > 0.0).then(|| rounded(sum / weight))
        };
        let moving_s = total(Field::ElapsedS).unwrap_or(0.0);
        let distance_m = total(Field::DistanceM).filter(|distance| *distance > 0.0);
        Self {
            moving_s: rounded(moving_s),
            distance_m: distance_m.map(rounded),
            energy_kcal: total(Field::EnergyKcal).map(rounded),
            pace_s_per_km: distance_m
                .filter(|_| moving_s > 0.0)
                .map(|distance| rounded(moving_s * 1_000.0 / distance)),
            average_speed_mps: mean(Field::SpeedMps),
            maximum_speed_mps: largest(Field::SpeedMps),
            average_power_w: mean(Field::PowerW),
            maximum_power_w: largest(Field::PowerW),
            average_cadence_rpm: mean(Field::CadenceRpm),
            average_stroke_rate_spm: mean(Field::StrokeRateSpm),
        }
    }
}

/// To thousandths, so that a sum does not show how it was added up.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::machine::Fields;
    use time::macros::datetime;

    fn set(minute: i64, exercise: Option<&str>, reps: i32, weight_cg: Option<i64>) -> StoredSet {
        StoredSet {
            machine_id: Uuid::nil(),
            device_boot: Some(1),
            device_seq: minute,
            at: datetime!(2026-11-20 12:00 UTC) + time::Duration::minutes(minute),
            exercise: exercise.map(str::to_owned),
            machine_name: "Leg press 2".to_owned(),
            reps,
            weight_cg,
            duration_ms: None,
            rom_mm: None,
            is_late: false,
        }
    }

    fn ride(seconds: i32, reset_at: i32) -> Vec<Reading> {
        let reading = |second: i32| {
            let since = if second < reset_at { second } else { second - reset_at };
            let mut fields = Fields::default();
            fields.set(Field::ElapsedS, since.into());
            fields.set(Field::DistanceM, f64::from(since) * 3.0);
            fields.set(Field::PowerW, if second % 2 == 0 { 100.0 } else { 200.0 });
            Reading { at_ms: i64::from(second) * 1_000, fields }
        };
        (0..=seconds).map(reading).collect()
    }

    fn stretch(readings: Vec<Reading>) -> Stretch {
        let id = Uuid::from_u128(7);
        Stretch {
            id,
            machine_id: Uuid::nil(),
            machine_name: "Bike #12".to_owned(),
            readings,
            is_late: false,
        }
    }

    #[test]
    fn estimates_are_those_of_the_books() {
        let close = |reps, expected: f64| {
            assert!((estimated_1rm(100.0, reps).unwrap() - expected).abs() < 0.001, "{reps}");
        };
        close(1, 100.0);
        close(5, 116.667);
        close(10, 133.333);
        assert_eq!(estimated_1rm(100.0, 13), None);
        assert_eq!(estimated_1rm(100.0, 0), None);
        assert_eq!(estimated_1rm(0.0, 5), None);
    }

    #[test]
    fn sets_are_grouped_by_exercise_and_a_machine_stands_for_its_kind() {
        let sets = vec![
            set(4, Some(" CALF  raise"), 12, Some(4_000)),
            set(0, None, 10, Some(10_000)),
            set(2, Some("Calf raise"), 12, Some(4_000)),
        ];

        let found = exercises(&[], sets, None);

        let names: Vec<_> = found.iter().map(|one| (one.key.as_str(), one.sets.len())).collect();
        assert_eq!(names, [("leg press", 1), ("calf raise", 2)]);
    }

    #[test]
    fn a_set_that_its_machine_told_twice_counts_once() {
        let sets = vec![set(0, None, 10, None), set(0, None, 10, None), set(1, None, 10, None)];

        assert_eq!(exercises(&[], sets, None)[0].sets.len(), 2);
    }

    #[test]
    fn an_effort_is_added_up_over_a_reset_of_the_console() {
        let found = exercises(&[stretch(ride(600, 300))], Vec::new(), None);

        let effort = found[0].effort.clone().unwrap();
        // 299 s before the reset, 300 s after it.
        assert_eq!((effort.moving_s, effort.distance_m), (599.0, Some(1_797.0)));
        assert_eq!(effort.maximum_power_w, Some(200.0));
        assert!((effort.average_power_w.unwrap() - 150.0).abs() < 1.0, "{effort:?}");
        assert!((effort.pace_s_per_km.unwrap() - 333.333).abs() < 0.01, "{effort:?}");
        assert_eq!((found[0].key.as_str(), found[0].heart), ("bike", None));
    }

    #[test]
    fn who_stepped_on_and_off_made_no_effort() {
        assert!(exercises(&[stretch(ride(10, 1_000))], Vec::new(), None).is_empty());
    }
}
