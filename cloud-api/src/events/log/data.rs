//! What events say: one type for each kind.

use crate::ids::{BranchId, CommandId, DeviceId, MemberId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// All that is to be known of a machine by who might use it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MachineStatus {
    pub machine_id: DeviceId,
    pub branch_id: BranchId,
    /// What the machine last said of itself: `idle`, `in_use`, `paused`, `finished`, `out_of_order` or `offline`;
    /// null if it never did.
    #[schema(example = "in_use")]
    pub state: Option<String>,
    /// What is wrong, in the machine's own words.
    pub error: Option<String>,
    /// Whether it is lent to somebody.
    pub is_lent: bool,
    /// How many wait for it.
    pub waiting: i64,
}

/// Out of use, or in use again.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MachineMaintenance {
    pub machine_id: DeviceId,
    pub branch_id: BranchId,
    pub is_out_of_order: bool,
    pub reason: Option<String>,
}

/// The beginning of a stay.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SessionStarted {
    pub session_id: Uuid,
    pub branch_id: BranchId,
    pub member_id: MemberId,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
}

/// The end of a stay.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SessionEnded {
    pub session_id: Uuid,
    pub branch_id: BranchId,
    pub member_id: MemberId,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub ended_at: OffsetDateTime,
    /// `checked_out`, `time_limit`, `closing`, `elsewhere` or `rejected`.
    #[schema(example = "checked_out")]
    pub reason: String,
    /// Whether it ended by itself.
    pub is_automatic: bool,
}

/// A machine that is lent.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MachineLinked {
    pub link_id: Uuid,
    pub machine_id: DeviceId,
    pub branch_id: BranchId,
    pub member_id: MemberId,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
}

/// A machine that was lent.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MachineUnlinked {
    pub link_id: Uuid,
    pub machine_id: DeviceId,
    pub branch_id: BranchId,
    pub member_id: MemberId,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub ended_at: OffsetDateTime,
    /// `unlinked`, `idle`, `moved`, `session_ended`, `out_of_order` or `rejected`.
    #[schema(example = "unlinked")]
    pub reason: String,
}

/// A machine that is kept for who waited first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct QueueOffer {
    pub machine_id: DeviceId,
    pub branch_id: BranchId,
    #[serde(with = "time::serde::rfc3339")]
    pub offered_until: OffsetDateTime,
}

/// A queue that the member is not in any more.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct QueueLeft {
    pub machine_id: DeviceId,
    pub branch_id: BranchId,
    /// Whether the machine was kept for them, and they did not take it.
    pub was_offered: bool,
}

/// Profile, settings or pictures.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct PreferencesChanged {}

/// What became of a workout.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct WorkoutChanged {
    pub workout_id: Uuid,
    /// `created`, `changed` or `removed`.
    #[schema(example = "changed")]
    pub change: String,
}

/// What has changed of somebody's progress.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ProgressChanged {
    /// `records`, `goals` or `measurements`.
    #[schema(example = "records")]
    pub about: String,
}

/// The best so far.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RecordAchieved {
    pub workout_id: Option<Uuid>,
    /// Of which exercise or kind of machine.
    #[schema(example = "bench_press")]
    pub exercise: String,
    /// What is better than before, with its unit.
    #[schema(example = "max_weight_kg")]
    pub measure: String,
    pub value: f64,
    /// The best before; null if it is the first.
    pub previous: Option<f64>,
}

/// Nothing comes from a branch.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BranchSilent {
    pub branch_id: BranchId,
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

/// Something comes again.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BranchHeard {
    pub branch_id: BranchId,
    #[serde(with = "time::serde::rfc3339")]
    pub silent_since: OffsetDateTime,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CommandAnswered {
    pub command_id: CommandId,
    pub branch_id: BranchId,
    pub device_id: Option<DeviceId>,
    /// `done`, `failed`, `expired` or `unknown`.
    #[schema(example = "done")]
    pub outcome: String,
    pub detail: Option<String>,
}
