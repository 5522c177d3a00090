//! Personal records: pure, from all that somebody did of an exercise. Equal is no record, and what came more than a week
//! late is none either.

use super::summary::{Effort, Set};
use time::OffsetDateTime;
use uuid::Uuid;

/// What somebody did of an exercise in one workout.
#[derive(Debug, Clone)]
pub struct Performed {
    pub workout_id: Uuid,
    pub started_at: OffsetDateTime,
    pub sets: Vec<Set>,
    pub effort: Option<Effort>,
    pub is_late: bool,
}

/// The best of a measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Best {
    pub measure: &'static str,
    /// Of repetitions: at this weight, in hundredths of a kilogram; else 0.
    pub weight_cg: i64,
    pub value: f64,
    /// The best before it.
    pub previous: Option<f64>,
    pub at: OffsetDateTime,
    pub workout_id: Uuid,
}

/// Less is better of this only.
pub const PACE: &str = "best_pace_s_per_km";
/// Pace counts from so many metres on.
const PACE_FROM_M: f64 = 1_000.0;
/// A mean power counts from so many seconds on.
const POWER_FROM_S: f64 = 300.0;

/// Records of one exercise.
pub fn bests(mut performed: Vec<Performed>) -> Vec<Best> {
    performed.sort_by_key(|one| (one.started_at, one.workout_id));
    let mut bests = Vec::new();
    for workout in &performed {
        let sets = workout.sets.iter().filter(|set| !set.is_late && set.reps > 0);
        let mut volume_kg = 0.0;
        for set in sets {
            volume_kg += set.volume_kg();
            of_set(&mut bests, workout.workout_id, set);
        }
        let last_at = workout.sets.last().map_or(workout.started_at, |set| set.at);
        take(&mut bests, ("max_workout_volume_kg", 0), volume_kg, (last_at, workout.workout_id));
        if let Some(effort) = workout.effort.as_ref().filter(|_| !workout.is_late) {
            of_effort(&mut bests, workout, effort);
        }
    }
    bests
}

fn of_set(bests: &mut Vec<Best>, workout_id: Uuid, set: &Set) {
    let at = (set.at, workout_id);
    let Some(weight_kg) = set.weight_kg.filter(|weight| *weight > 0.0) else {
        take(bests, ("max_reps", 0), f64::from(set.reps), at);
        return;
    };
    take(bests, ("max_weight_kg", 0), weight_kg, at);
    take(bests, ("max_set_volume_kg", 0), set.volume_kg(), at);
    take(bests, ("max_reps", hundredths(weight_kg)), f64::from(set.reps), at);
    if let Some(estimate) = set.estimated_1rm_kg {
        take(bests, ("estimated_1rm_kg", 0), estimate, at);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a load of at most 1 000 kg")]
fn hundredths(weight_kg: f64) -> i64 {
    (weight_kg * 100.0).round() as i64
}

fn of_effort(bests: &mut Vec<Best>, workout: &Performed, effort: &Effort) {
    let at = (workout.started_at, workout.workout_id);
    take(bests, ("longest_time_s", 0), effort.moving_s, at);
    if let Some(distance_m) = effort.distance_m {
        take(bests, ("longest_distance_m", 0), distance_m, at);
        if let Some(pace) = effort.pace_s_per_km.filter(|_| distance_m >= PACE_FROM_M) {
            take(bests, (PACE, 0), pace, at);
        }
    }
    if let Some(power) = effort.average_power_w.filter(|_| effort.moving_s >= POWER_FROM_S) {
        take(bests, ("max_average_power_w", 0), power, at);
    }
}

fn take(
    bests: &mut Vec<Best>,
    (measure, weight_cg): (&'static str, i64),
    value: f64,
    (at, workout_id): (OffsetDateTime, Uuid),
) {
    if value <= 0.0 {
        return;
    }
    let known = bests.iter_mut().find(|one| one.measure == measure && one.weight_cg == weight_cg);
    let Some(known) = known else {
        bests.push(Best { measure, weight_cg, value, previous: None, at, workout_id });
        return;
    };
    let is_better = if measure == PACE { value < known.value } else { value > known.value };
    if is_better {
        *known = Best { value, previous: Some(known.value), at, workout_id, ..known.clone() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::workouts::summary::estimated_1rm;
    use time::Duration;
    use time::macros::datetime;

    fn workout(day: i64, sets: &[(f64, i32)]) -> Performed {
        let started_at = datetime!(2026-11-01 12:00 UTC) + Duration::days(day);
        let set = |&(weight_kg, reps): &(f64, i32)| Set {
            at: started_at,
            reps,
            weight_kg: Some(weight_kg),
            duration_s: None,
            rom_mm: None,
            estimated_1rm_kg: estimated_1rm(weight_kg, reps),
            is_late: false,
        };
        let workout_id = Uuid::from_u128(day.unsigned_abs().into());
        let sets = sets.iter().map(set).collect();
        Performed { workout_id, started_at, sets, effort: None, is_late: false }
    }

    fn best(bests: &[Best], measure: &str, weight_cg: i64) -> (f64, Option<f64>) {
        let found = bests.iter().find(|one| one.measure == measure && one.weight_cg == weight_cg);
        found.map(|best| (best.value, best.previous)).unwrap()
    }

    #[test]
    fn the_best_and_what_was_best_before() {
        let bests = bests(vec![
            workout(2, &[(80.0, 8), (90.0, 1)]),
            workout(0, &[(80.0, 5), (60.0, 12)]),
            workout(3, &[(90.0, 1)]),
        ]);

        assert_eq!(best(&bests, "max_weight_kg", 0), (90.0, Some(80.0)));
        assert_eq!(best(&bests, "max_reps", 8_000), (8.0, Some(5.0)));
        assert_eq!(best(&bests, "max_reps", 9_000), (1.0, None));
        assert_eq!(best(&bests, "max_set_volume_kg", 0), (720.0, Some(400.0)));
        assert_eq!(best(&bests, "max_workout_volume_kg", 0), (1_120.0, None));
        // Equal is none: the first 90 kg stay the record.
        let heaviest = bests.iter().find(|one| one.measure == "max_weight_kg").unwrap();
        assert_eq!(heaviest.workout_id, Uuid::from_u128(2));
    }

    #[test]
    fn the_order_in_which_workouts_are_told_does_not_matter() {
        let all = [workout(0, &[(60.0, 5)]), workout(1, &[(70.0, 5)]), workout(2, &[(65.0, 9)])];
        let turned: Vec<_> = all.iter().rev().cloned().collect();

        assert_eq!(bests(all.to_vec()), bests(turned));
    }

    #[test]
    fn a_pace_is_better_if_it_is_less_and_counts_from_a_kilometre_on() {
        let run = |day, distance_m: f64, moving_s: f64| Performed {
            effort: Some(Effort {
                moving_s,
                distance_m: Some(distance_m),
                energy_kcal: None,
                pace_s_per_km: Some(moving_s * 1_000.0 / distance_m),
                average_speed_mps: None,
                maximum_speed_mps: None,
                average_power_w: Some(200.0),
                maximum_power_w: None,
                average_cadence_rpm: None,
                average_stroke_rate_spm: None,
            }),
            ..workout(day, &[])
        };

        let bests =
            bests(vec![run(0, 2_000.0, 600.0), run(1, 1_000.0, 290.0), run(2, 900.0, 200.0)]);

        assert_eq!(best(&bests, PACE, 0), (290.0, Some(300.0)));
        assert_eq!(best(&bests, "longest_distance_m", 0), (2_000.0, None));
        assert_eq!(best(&bests, "max_average_power_w", 0), (200.0, None));
    }

    #[test]
    fn what_came_late_is_no_record() {
        let mut late = workout(0, &[(100.0, 5)]);
        late.is_late = true;
        late.sets[0].is_late = true;

        assert!(bests(vec![late]).is_empty());
    }
}
