//! What apps are told about a machine.

use crate::domains::devices::MachineType;
use crate::http::Place;
use crate::ids::{BranchId, DeviceId};
use protocol::sync::entry::DeviceState;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A machine of a branch.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Machine {
    pub id: DeviceId,
    pub branch_id: BranchId,
    /// Short name, unique in the branch; on the machine's label and in MQTT topics.
    #[schema(example = "treadmill-01")]
    pub code: String,
    /// Shown to people.
    #[schema(example = "Treadmill 1")]
    pub name: String,
    /// What it is for.
    #[serde(rename = "type")]
    pub kind: MachineType,
    /// As painted on the machine.
    #[schema(example = "12")]
    pub number: Option<String>,
    /// Maker and type.
    #[schema(example = "Runner T7")]
    pub model: Option<String>,
    /// Words to find it by.
    #[schema(example = json!(["legs"]))]
    pub tags: Vec<String>,
    /// Where in the branch.
    #[schema(example = "Hall 2, window side")]
    pub location: Option<String>,
    /// May connect.
    pub enabled: bool,
    /// When it was registered.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// Whether a machine is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// Ready for the next.
    Available,
    /// Somebody trains on it, has paused, or has taken it.
    InUse,
    /// Free, and kept for the first of those who wait.
    Offered,
    /// Broken, or switched off by staff.
    OutOfOrder,
    /// The branch does not hear it.
    Offline,
    /// The branch is not heard.
    Unknown,
}

/// The order of a list of machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
pub enum Sort {
    #[default]
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDown,
    #[serde(rename = "code")]
    Code,
    #[serde(rename = "-code")]
    CodeDown,
}

impl Sort {
    pub fn is_by_code(self) -> bool {
        matches!(self, Self::Code | Self::CodeDown)
    }

    pub fn is_down(self) -> bool {
        matches!(self, Self::NameDown | Self::CodeDown)
    }

    /// A machine's place in this order.
    pub fn place(self, machine: &Machine) -> Place {
        let key = if self.is_by_code() { &machine.code } else { &machine.name };
        Place { key: key.clone(), id: machine.id.0 }
    }
}

impl Availability {
    /// From what the branch last said of the machine, if it is heard at all.
    pub fn of(state: Option<DeviceState>, is_heard: bool) -> Self {
        if !is_heard {
            return Self::Unknown;
        }
        match state {
            Some(DeviceState::Idle | DeviceState::Finished) => Self::Available,
            Some(DeviceState::InUse | DeviceState::Paused) => Self::InUse,
            Some(DeviceState::OutOfOrder) => Self::OutOfOrder,
            Some(DeviceState::Offline) | None => Self::Offline,
        }
    }

    /// The same where somebody may have taken it, or it is kept for somebody.
    #[must_use]
    pub fn or_taken(self, is_taken: bool, is_offered: bool) -> Self {
        match self {
            Self::Available if is_taken => Self::InUse,
            Self::Available if is_offered => Self::Offered,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_machine_is_in_use_and_a_finished_one_is_free() {
        assert_eq!(Availability::of(Some(DeviceState::Paused), true), Availability::InUse);
        assert_eq!(Availability::of(Some(DeviceState::Finished), true), Availability::Available);
    }

    #[test]
    fn what_somebody_has_taken_is_in_use_and_what_is_kept_is_offered() {
        assert_eq!(Availability::Available.or_taken(true, true), Availability::InUse);
        assert_eq!(Availability::Available.or_taken(false, true), Availability::Offered);
        assert_eq!(Availability::OutOfOrder.or_taken(true, false), Availability::OutOfOrder);
    }

    #[test]
    fn what_a_silent_branch_said_last_counts_no_more() {
        assert_eq!(Availability::of(Some(DeviceState::Idle), false), Availability::Unknown);
        assert_eq!(Availability::of(None, true), Availability::Offline);
    }
}
