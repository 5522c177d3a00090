//! What a device is.

use crate::ids::{BranchId, DeviceId};
use protocol::ids::Code;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// A machine, a reader, a bridge or an observer.
#[derive(Debug, Clone)]
pub struct Device {
    pub id: DeviceId,
    pub branch_id: BranchId,
    pub code: String,
    pub kind: DeviceKind,
    pub name: String,
    pub machine_type: Option<MachineType>,
    pub bridge_id: Option<DeviceId>,
    pub secret_sha256: Option<Vec<u8>>,
    pub topics: Vec<String>,
    pub enabled: bool,
}

/// What makes a device.
#[derive(Debug, Clone)]
pub struct NewDevice {
    pub code: Code,
    pub kind: DeviceKind,
    pub name: String,
    /// Of machines, and only of them.
    pub machine_type: Option<MachineType>,
    /// The bridge that may speak for it.
    pub bridge: Option<DeviceId>,
    /// Of observers: what they may read.
    pub topics: Vec<String>,
}

/// What kind of device it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum DeviceKind {
    Machine,
    Reader,
    Bridge,
    Observer,
}

/// What a machine is for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum MachineType {
    /// Endurance: treadmills, bikes, rowers.
    Cardio,
    /// Weights with a guided path.
    Strength,
    /// Free movement: cables, racks, sleds.
    Functional,
}

impl DeviceKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Reader => "reader",
            Self::Bridge => "bridge",
            Self::Observer => "observer",
        }
    }
}

impl MachineType {
    pub fn name(self) -> &'static str {
        match self {
            Self::Cardio => "cardio",
            Self::Strength => "strength",
            Self::Functional => "functional",
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<DeviceKind> for protocol::sync::entry::DeviceKind {
    fn from(kind: DeviceKind) -> Self {
        match kind {
            DeviceKind::Machine => Self::Machine,
            DeviceKind::Reader => Self::Reader,
            DeviceKind::Bridge => Self::Bridge,
            DeviceKind::Observer => Self::Observer,
        }
    }
}

impl From<protocol::sync::entry::DeviceKind> for DeviceKind {
    fn from(kind: protocol::sync::entry::DeviceKind) -> Self {
        use protocol::sync::entry::DeviceKind as Wire;
        match kind {
            Wire::Machine => Self::Machine,
            Wire::Reader => Self::Reader,
            Wire::Bridge => Self::Bridge,
            Wire::Observer => Self::Observer,
        }
    }
}
