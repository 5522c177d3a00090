//! What is said of a machine.

use crate::domains::accounts::plain_text;
use crate::domains::devices::{DeviceKind, MachineType, NewDevice, valid_code};
use crate::http::{Result, parse};
use crate::ids::{BranchId, DeviceId};
use garde::Validate;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// What there is to say of a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct MachineSetup {
    /// Where it stands. Said once.
    #[garde(skip)]
    pub branch_id: BranchId,
    /// Short name in MQTT topics, unique in the branch: small letters, digits and minus signs. Said once.
    #[garde(length(bytes, min = 1, max = 64), custom(valid_code))]
    #[schema(min_length = 1, max_length = 64, example = "treadmill-01")]
    pub code: String,
    /// Shown to people.
    #[garde(length(chars, min = 1, max = 100), custom(plain_text))]
    #[schema(min_length = 1, max_length = 100, example = "Treadmill 1")]
    pub name: String,
    /// What it is for.
    #[garde(skip)]
    #[serde(rename = "type")]
    pub kind: MachineType,
    /// As painted on the machine; unique in the branch.
    #[garde(length(chars, min = 1, max = 20), inner(custom(plain_text)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 20, example = "12")]
    pub number: Option<String>,
    /// Maker and type.
    #[garde(length(chars, min = 1, max = 100), inner(custom(plain_text)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, example = "Runner T7")]
    pub model: Option<String>,
    /// Words to find it by.
    #[garde(length(max = 20), inner(length(chars, min = 1, max = 40), custom(plain_text)))]
    #[serde(default)]
    #[schema(max_items = 20, example = json!(["legs", "beginners"]))]
    pub tags: Vec<String>,
    /// Where in the branch.
    #[garde(length(chars, min = 1, max = 100), inner(custom(plain_text)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, example = "Hall 2, window side")]
    pub location: Option<String>,
    /// The bridge that speaks for it.
    #[garde(skip)]
    #[serde(default)]
    pub bridge_id: Option<DeviceId>,
    /// May connect. By default it may.
    #[garde(skip)]
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Wants service after so many hours of use.
    #[garde(range(min = 1, max = 100_000))]
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100_000, example = 500)]
    pub service_every_h: Option<i32>,
    /// Wants service after so many days.
    #[garde(range(min = 1, max = 3_650))]
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3_650, example = 180)]
    pub service_every_days: Option<i32>,
}

/// A machine with all that is said of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MachineRecord {
    pub id: DeviceId,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Whether it has something to log in with.
    pub has_secret: bool,
    /// Since when it is out of use, if it is.
    #[serde(with = "time::serde::rfc3339::option")]
    pub out_of_use_since: Option<OffsetDateTime>,
    #[schema(example = "belt torn")]
    pub out_of_use_reason: Option<String>,
    /// When it was serviced last.
    #[serde(with = "time::serde::rfc3339::option")]
    pub serviced_at: Option<OffsetDateTime>,
    #[serde(flatten)]
    pub setup: MachineSetup,
}

fn yes() -> bool {
    true
}

impl Default for MachineSetup {
    fn default() -> Self {
        Self {
            branch_id: BranchId(Uuid::nil()),
            code: "-".to_owned(),
            name: "-".to_owned(),
            kind: MachineType::Functional,
            number: None,
            model: None,
            tags: Vec::new(),
            location: None,
            bridge_id: None,
            enabled: true,
            service_every_h: None,
            service_every_days: None,
        }
    }
}

impl MachineSetup {
    /// What the registry of devices has to know.
    pub fn new_device(&self) -> Result<NewDevice> {
        Ok(NewDevice {
            code: parse("code", &self.code)?,
            kind: DeviceKind::Machine,
            name: self.name.clone(),
            machine_type: Some(self.kind),
            bridge: self.bridge_id,
            topics: Vec::new(),
        })
    }
}
