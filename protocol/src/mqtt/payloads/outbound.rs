//! What the agent says to devices.

use crate::ids::{CommandId, TapId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `…/errors`: what was wrong with what the device sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorReport {
    /// The topic it was sent to.
    pub topic: String,
    /// The `seq` of the message, if it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Machine-readable reason, see [`super::Refusal`].
    pub code: String,
    /// The field that is wrong, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// In words.
    pub message: String,
}

/// `…/commands`: an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommandMessage {
    /// Which one; the result names it.
    pub id: CommandId,
    /// Machines: `lock`, `unlock`, `reset`, `display`. Readers: `open`, `hold_open`, `lock`, `display`.
    /// Bridges: `restart`, `diag`.
    pub command: String,
    /// With what.
    pub args: Map<String, Value>,
    /// It is void this many milliseconds after it was received.
    pub ttl_ms: u64,
}

/// `machines/{code}/link`: to whom the machine is lent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinkMessage {
    /// Whether it is lent.
    pub linked: bool,
    /// Which link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_id: Option<String>,
    /// What to greet the member with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Unix milliseconds of its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<i64>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the words say it")]
pub enum DecisionOutcome {
    Granted,
    Denied,
}

/// What the tap did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum DecisionAction {
    /// A gym session began.
    CheckIn,
    /// A gym session ended.
    CheckOut,
    /// A machine was lent.
    Link,
    /// A machine was given back.
    Unlink,
    /// Nothing.
    None,
}

/// `readers/{code}/decision`: the answer to a tap; `QoS` 0, never queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DecisionMessage {
    /// Which tap.
    pub tap_id: TapId,
    /// May they.
    pub outcome: DecisionOutcome,
    /// What it did.
    pub action: DecisionAction,
    /// Machine-readable, e.g. `unknown_credential`.
    pub reason: String,
    /// For the reader's display.
    pub display: String,
    /// How long to open the door, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_door_ms: Option<u32>,
    /// The decision is void this many milliseconds after it was received.
    pub valid_ms: u32,
}
