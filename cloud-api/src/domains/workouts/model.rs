//! Workouts as members and staff see them.

use super::heart::Heart;
use super::summary::{Effort, Set};
use crate::ids::{BranchId, DeviceId, MemberId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// What somebody did at machines during one stay, summed up.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MachineWorkout {
    pub id: Uuid,
    pub member_id: MemberId,
    pub branch_id: BranchId,
    /// The stay; null for work that staff assigned to somebody who was not inside.
    pub session_id: Option<Uuid>,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// Null while the stay goes on.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    #[schema(example = 12)]
    pub sets: i32,
    #[schema(example = 118)]
    pub reps: i32,
    /// Load times repetitions, over all sets.
    #[schema(example = 7080.0)]
    pub volume_kg: f64,
    /// On machines that count time, without pauses.
    #[schema(example = 1200.0)]
    pub moving_s: f64,
    #[schema(example = 4210.0)]
    pub distance_m: f64,
    /// As machines say it.
    #[schema(example = 210.0)]
    pub energy_kcal: f64,
    /// Only for the member, with the consent `health_data`, and where it was measured.
    #[schema(value_type = Option<Heart>)]
    pub heart: Option<sqlx::types::Json<Heart>>,
}

/// An exercise of a workout: sets of one kind, or an effort on one machine.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MachineExercise {
    pub machine_id: DeviceId,
    /// What records are kept by.
    #[schema(example = "leg press")]
    pub exercise: String,
    #[schema(example = "Leg press")]
    pub name: String,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub ended_at: OffsetDateTime,
    #[schema(value_type = Vec<Set>)]
    pub sets: sqlx::types::Json<Vec<Set>>,
    #[schema(value_type = Option<Effort>)]
    pub effort: Option<sqlx::types::Json<Effort>>,
    #[schema(value_type = Option<Heart>)]
    pub heart: Option<sqlx::types::Json<Heart>>,
    /// Some of it came more than a week after it was done, and is no record.
    pub is_late: bool,
}

/// A workout with its exercises, in the order in which they began.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MachineWorkoutDetail {
    #[serde(flatten)]
    pub workout: MachineWorkout,
    pub exercises: Vec<MachineExercise>,
}

impl MachineWorkoutDetail {
    /// For whom heart rates are nobody's business.
    pub fn without_hearts(mut self) -> Self {
        self.workout.heart = None;
        for exercise in &mut self.exercises {
            exercise.heart = None;
        }
        self
    }
}

/// The best that somebody did.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MachineRecord {
    #[schema(example = "leg press")]
    pub exercise: String,
    #[schema(example = "Leg press")]
    pub name: String,
    /// `max_weight_kg`, `max_reps` (at `weight_kg`), `max_set_volume_kg`, `max_workout_volume_kg`, `estimated_1rm_kg`
    /// (Epley), `longest_distance_m`, `longest_time_s`, `best_pace_s_per_km` (from 1 km on) or `max_average_power_w`
    /// (from 5 min on).
    #[schema(example = "max_weight_kg")]
    pub measure: String,
    /// Of `max_reps`: at this weight; null without one.
    pub weight_kg: Option<f64>,
    #[schema(example = 140.0)]
    pub value: f64,
    /// The best before it.
    #[schema(example = 130.0)]
    pub previous: Option<f64>,
    /// By how much it is better, in per cent of the one before.
    #[schema(example = 7.69)]
    pub improvement_pct: Option<f64>,
    #[serde(with = "time::serde::rfc3339")]
    pub achieved_at: OffsetDateTime,
    pub workout_id: Uuid,
}
