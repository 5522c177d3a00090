//! What every device says about itself: status, maintenance, answers to commands.

use super::reader::{self, Object, Refusal};
use super::{MAX_NAME_CHARS, MAX_TEXT_CHARS};
use crate::sync::entry::{CommandResult, DeviceStatus, Maintenance};
use serde::Serialize;
use serde_json::Value;

/// A device's state.
pub fn parse_status(payload: &[u8]) -> Result<DeviceStatus, Refusal> {
    let mut object = reader::object(payload)?;
    let states = "idle, in_use, paused, finished, out_of_order, offline";
    Ok(DeviceStatus {
        state: object.required("state", |object, name| object.word(name, states))?,
        firmware: object.text("firmware", MAX_NAME_CHARS)?,
        uptime_ms: object.integer("uptime_ms", 0..=u64::MAX)?,
        error: object.text("error", MAX_TEXT_CHARS)?,
    })
}

/// A machine's report about its own condition.
pub fn parse_maintenance(payload: &[u8]) -> Result<Maintenance, Refusal> {
    let mut object = reader::object(payload)?;
    let severities = "info, warning, fault";
    Ok(Maintenance {
        code: object.required("code", |object, name| object.text(name, MAX_NAME_CHARS))?,
        severity: object.required("severity", |object, name| object.word(name, severities))?,
        message: object.required("message", |object, name| object.text(name, MAX_TEXT_CHARS))?,
    })
}

/// A device's answer to a command.
pub fn parse_result(payload: &[u8]) -> Result<CommandResult, Refusal> {
    let mut object = reader::object(payload)?;
    let outcomes = "done, failed, expired, unknown";
    Ok(CommandResult {
        id: object.required("id", Object::uuid)?,
        outcome: object.required("outcome", |object, name| object.word(name, outcomes))?,
        detail: object.text("detail", MAX_TEXT_CHARS)?,
    })
}

impl DeviceStatus {
    /// The status as it is sent.
    pub fn to_json(&self) -> Value {
        without_nulls(self)
    }
}

impl Maintenance {
    /// The report as it is sent.
    pub fn to_json(&self) -> Value {
        without_nulls(self)
    }
}

impl CommandResult {
    /// The answer as it is sent.
    pub fn to_json(&self) -> Value {
        without_nulls(self)
    }
}

/// These types also cross as postcard, where nothing may be left out, so what is absent is removed here.
fn without_nulls(value: &impl Serialize) -> Value {
    let mut json = serde_json::to_value(value).expect("nothing here that JSON lacks");
    if let Value::Object(map) = &mut json {
        map.retain(|_, member| !member.is_null());
    }
    json
}
