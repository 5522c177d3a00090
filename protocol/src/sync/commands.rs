//! Orders of the cloud to a branch and its devices (`/edge/v1/commands`, JSON).

use super::entry::{DeviceKind, Outcome};
use crate::ids::{Code, CommandId};
use serde::{Deserialize, Serialize};

/// The answer of `GET /edge/v1/commands`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commands {
    /// In the order they were given.
    pub items: Vec<Command>,
    /// Unix milliseconds by the cloud's clock when the answer was made: a slow line counts against the time to live.
    #[serde(default)]
    pub now_ms: Option<i64>,
}

/// One order. It is told again until its result is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Which one.
    pub id: CommandId,
    /// Whom it is for; the edge itself if there is none.
    pub target: Option<Target>,
    /// What to do, e.g. `lock`.
    pub command: String,
    /// With what.
    pub args: serde_json::Map<String, serde_json::Value>,
    /// It is void this long after this answer was made (`now_ms`), counted monotonically from then on.
    pub ttl_ms: u64,
}

/// A device of the branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// What it is.
    pub kind: DeviceKind,
    /// Its short name.
    pub code: Code,
}

/// How a command ended (`POST /edge/v1/commands/{id}/result`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandReport {
    /// How it ended.
    pub outcome: Outcome,
    /// In words.
    pub detail: Option<String>,
}
