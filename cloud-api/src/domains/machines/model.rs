//! What apps are told about a machine.

use crate::domains::devices::MachineType;
use crate::ids::{BranchId, DeviceId};
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
    /// May connect.
    pub enabled: bool,
    /// When it was registered.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
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

/// Where a page of machines ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct Place {
    pub key: String,
    pub id: DeviceId,
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
        Place { key: key.clone(), id: machine.id }
    }
}
