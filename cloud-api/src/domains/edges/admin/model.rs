//! How an edge is.

use crate::ids::{BranchId, EdgeId};
use protocol::sync::state::LiveState;
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

/// Whether an edge is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Contact {
    /// It has called within the last minute.
    Online,
    /// It has not.
    Silent,
    /// It was enrolled and never called.
    Never,
    /// Its key counts no more.
    Revoked,
}

/// An edge, and what it last said of itself.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct EdgeRecord {
    pub id: EdgeId,
    pub branch_id: BranchId,
    #[schema(example = "Centre")]
    pub branch_name: String,
    #[schema(example = "gymwire-pi")]
    pub hostname: String,
    /// Of the agent that was heard last; of the one that enrolled, if none was since.
    #[schema(example = "0.1.0")]
    pub agent_version: String,
    #[serde(with = "time::serde::rfc3339")]
    pub enrolled_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
    #[schema(inline)]
    pub contact: Contact,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_contact_at: Option<OffsetDateTime>,
    /// Its staff were told that it is silent since then.
    #[serde(with = "time::serde::rfc3339::option")]
    pub silent_since: Option<OffsetDateTime>,
    /// It has announced another key, and not used it yet.
    pub is_key_changing: bool,
    /// Null if it never told of its floor, or somebody else has taken its place.
    pub health: Option<EdgeHealth>,
}

/// What an edge says of itself with its floor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EdgeHealth {
    #[serde(with = "time::serde::rfc3339")]
    pub told_at: OffsetDateTime,
    /// Journal entries that the cloud did not have.
    pub backlog_entries: u64,
    /// Age of the oldest of them.
    pub oldest_unsent_ms: u64,
    pub disk_free_bytes: u64,
    /// Messages refused since the agent's start.
    pub rejects: u64,
    /// Gaps since the agent's start.
    pub gaps: u64,
    /// Whether its clock was set by a server of time.
    pub is_clock_synced: bool,
    /// By how much its clock is ahead of ours, with the time that the message took.
    #[schema(example = -12)]
    pub clock_ahead_ms: i64,
    /// Machines and readers that it told of.
    pub devices: usize,
}

/// Whoever has not called for so long is silent.
const ONLINE_FOR: Duration = Duration::minutes(1);

impl Contact {
    pub fn of(
        revoked_at: Option<OffsetDateTime>,
        last_contact_at: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Self {
        match (revoked_at, last_contact_at) {
            (Some(_), _) => Self::Revoked,
            (None, None) => Self::Never,
            (None, Some(at)) if now - at <= ONLINE_FOR => Self::Online,
            (None, Some(_)) => Self::Silent,
        }
    }
}

impl EdgeHealth {
    pub fn of(state: &LiveState, told_at: OffsetDateTime) -> Self {
        let told_ms = i64::try_from(told_at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
        let floor = &state.floor;
        Self {
            told_at,
            backlog_entries: floor.backlog_entries,
            oldest_unsent_ms: floor.oldest_unsent_ms,
            disk_free_bytes: floor.disk_free_bytes,
            rejects: floor.rejects,
            gaps: floor.gaps,
            is_clock_synced: state.stamp.synced,
            clock_ahead_ms: state.stamp.wall_ms.saturating_sub(told_ms),
            devices: state.machines.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_called_for_more_than_a_minute_is_silent() {
        let now = time::macros::datetime!(2026-11-20 12:00 UTC);
        let contact = |revoked, last| Contact::of(revoked, last, now);

        assert_eq!(contact(None, None), Contact::Never);
        assert_eq!(contact(None, Some(now - Duration::MINUTE)), Contact::Online);
        assert_eq!(contact(None, Some(now - Duration::seconds(61))), Contact::Silent);
        assert_eq!(contact(Some(now), Some(now)), Contact::Revoked);
    }
}
