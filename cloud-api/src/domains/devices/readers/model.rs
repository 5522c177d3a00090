//! What is said of a reader.

use crate::domains::accounts::plain_text;
use crate::domains::devices::valid_code;
use crate::http::{Error, Result};
use crate::ids::{BranchId, DeviceId};
use garde::Validate;
use protocol::sync::roster;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a reader is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ReaderPlace {
    /// A door for both ways.
    Door,
    /// A door that only leads in.
    Entry,
    /// A door that only leads out.
    Exit,
    /// On a machine.
    Machine,
}

/// What a reader reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Reads {
    /// Cards and phones that are held to it.
    Cards,
    /// Codes that are shown to it: a scanner.
    Codes,
    Both,
}

/// What there is to say of a reader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct ReaderSetup {
    /// Where it is. Said once.
    #[garde(skip)]
    pub branch_id: BranchId,
    /// Short name in MQTT topics, unique in the branch: small letters, digits and minus signs. Said once.
    #[garde(length(bytes, min = 1, max = 64), custom(valid_code))]
    #[schema(min_length = 1, max_length = 64, example = "door-1")]
    pub code: String,
    /// Shown to staff.
    #[garde(length(chars, min = 1, max = 100), custom(plain_text))]
    #[schema(min_length = 1, max_length = 100, example = "Main door")]
    pub name: String,
    #[garde(skip)]
    #[schema(inline)]
    pub place: ReaderPlace,
    /// The machine that it is on, for `machine` and only for it.
    #[garde(skip)]
    #[serde(default)]
    pub machine_id: Option<DeviceId>,
    #[garde(skip)]
    #[serde(default = "both")]
    #[schema(inline)]
    pub reads: Reads,
    /// The bridge that speaks for it.
    #[garde(skip)]
    #[serde(default)]
    pub bridge_id: Option<DeviceId>,
    /// May connect. By default it may.
    #[garde(skip)]
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// A reader with all that is said of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ReaderRecord {
    pub id: DeviceId,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Whether it has something to log in with.
    pub has_secret: bool,
    #[serde(flatten)]
    pub setup: ReaderSetup,
}

fn both() -> Reads {
    Reads::Both
}

fn yes() -> bool {
    true
}

impl Default for ReaderSetup {
    fn default() -> Self {
        Self {
            branch_id: BranchId(Uuid::nil()),
            code: "-".to_owned(),
            name: "-".to_owned(),
            place: ReaderPlace::Door,
            machine_id: None,
            reads: Reads::Both,
            bridge_id: None,
            enabled: true,
        }
    }
}

impl ReaderSetup {
    /// As branches are told.
    pub fn wire_place(&self) -> Result<roster::ReaderPlace> {
        Ok(match (self.place, self.machine_id) {
            (ReaderPlace::Door, None) => roster::ReaderPlace::Door,
            (ReaderPlace::Entry, None) => roster::ReaderPlace::Entry,
            (ReaderPlace::Exit, None) => roster::ReaderPlace::Exit,
            (ReaderPlace::Machine, Some(machine)) => roster::ReaderPlace::Machine(machine.into()),
            _ => {
                let message = "is said of a reader on a machine, and only of it".to_owned();
                return Err(Error::Field { field: "machine_id", code: "invalid", message });
            }
        })
    }
}
