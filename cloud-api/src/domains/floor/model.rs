//! Stays and lent machines as apps see them.

use crate::ids::{BranchId, DeviceId, MemberId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The branch has confirmed it.
    Confirmed,
    /// The branch has not answered yet. If it stays silent the cloud records it, and the branch confirms or refuses later.
    Requested,
}

/// What came of a wish about a stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionAnswer {
    pub session_id: Uuid,
    pub branch_id: BranchId,
    #[schema(inline)]
    pub certainty: Certainty,
}

/// What came of a wish about a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LinkAnswer {
    pub link_id: Uuid,
    pub machine_id: DeviceId,
    pub branch_id: BranchId,
    #[schema(inline)]
    pub certainty: Certainty,
}

/// A stay that goes on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CurrentSession {
    pub id: Uuid,
    pub branch_id: BranchId,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// So far.
    #[schema(example = 1800)]
    pub duration_s: i64,
    /// Machines of this stay, the first first.
    pub machines: Vec<UsedMachine>,
}

/// A machine that somebody took.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UsedMachine {
    pub link_id: Uuid,
    pub machine_id: DeviceId,
    #[schema(example = "Treadmill 1")]
    pub name: String,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// Null while they have it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
}

/// A stay that is over.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PastSession {
    pub id: Uuid,
    pub branch_id: BranchId,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub ended_at: OffsetDateTime,
    /// `checked_out`, `time_limit`, `closing` or `elsewhere`.
    #[schema(example = "checked_out")]
    pub end_reason: String,
    #[schema(example = 3600)]
    pub duration_s: i64,
    /// How many machines were taken.
    #[schema(example = 4)]
    pub machines: i64,
    #[schema(example = 12)]
    pub sets: i64,
}

/// Sums over all stays that a filter names.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Totals {
    #[schema(example = 42)]
    pub sessions: i64,
    #[schema(example = 151_200)]
    pub duration_s: i64,
    #[schema(example = 3600)]
    pub average_duration_s: i64,
}

/// A stay as staff see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PresentSession {
    pub id: Uuid,
    pub branch_id: BranchId,
    pub member_id: MemberId,
    #[schema(example = "Ada L.")]
    pub display_name: String,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// Null while they are inside.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// What they have now.
    pub machine_id: Option<DeviceId>,
}

/// Who waits for a machine.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Queue {
    pub machine_id: DeviceId,
    /// How many wait.
    #[schema(example = 2)]
    pub length: i64,
    /// The caller's place, from 1; 0 while the machine is kept for them; null if they do not wait.
    #[schema(example = 1)]
    pub position: Option<i32>,
    /// Until when it is kept for the caller.
    #[serde(with = "time::serde::rfc3339::option")]
    pub offered_until: Option<OffsetDateTime>,
    /// How long it takes until it is the caller's turn, or of somebody who came now: by the median of what the last who
    /// had it took. Null where nobody had it yet.
    #[schema(example = 600)]
    pub estimated_wait_s: Option<i64>,
}
