//! A finished strength set in JSON.

use super::MAX_NAME_CHARS;
use super::reader::{self, Refusal};
use crate::ids::SetId;
use crate::sync::entry::FinishedSet;
use serde::Serialize;
use serde_json::Value;

const MAX_WEIGHT_KG: f64 = 1_000.0;
const MAX_DURATION_S: f64 = 86_400.0;
const MAX_ROM_MM: u16 = 5_000;

/// A finished set as its device tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(into = "SetJson")]
pub struct SetPayload {
    /// Counts up by one per device over telemetry and sets together.
    pub seq: u64,
    /// Random, new at every boot of the device.
    pub boot: Option<u32>,
    /// Identifies the set, if the device can make one.
    pub set_id: Option<SetId>,
    /// The device's name for the exercise, at most 64 characters.
    pub exercise: Option<String>,
    /// Completed repetitions.
    pub reps: u16,
    /// Load in hundredths of a kilogram, at most 1 000 kg.
    pub weight_cg: Option<u32>,
    /// Duration in milliseconds, at most a day.
    pub duration_ms: Option<u32>,
    /// Range of motion in millimetres, at most 5 000.
    pub rom_mm: Option<u16>,
    /// Unix milliseconds by the device's own clock.
    pub at_ms: Option<i64>,
    /// Milliseconds since the device's boot.
    pub uptime_ms: Option<u64>,
}

/// A finished strength set.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(in crate::mqtt) struct SetJson {
    /// Counts up by one per device over telemetry and sets together.
    seq: u64,
    /// Random, new at every boot of the device. Exactly-once needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    boot: Option<u32>,
    /// Identifies the set, if the device can make one; a set with a known id is stored once in 7 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    set_id: Option<SetId>,
    /// The device's name for the exercise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_NAME_CHARS)))]
    exercise: Option<String>,
    /// Completed repetitions.
    reps: u16,
    /// Load in kilograms, resolution 0.01.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = MAX_WEIGHT_KG)))]
    weight_kg: Option<f64>,
    /// Duration in seconds, resolution 0.001.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = MAX_DURATION_S)))]
    duration_s: Option<f64>,
    /// Range of motion in millimetres.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_ROM_MM)))]
    rom_mm: Option<u16>,
    /// Unix milliseconds by the device's own clock; leave it out without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_ms: Option<i64>,
    /// Milliseconds since the device's boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime_ms: Option<u64>,
}

impl From<SetPayload> for SetJson {
    fn from(set: SetPayload) -> Self {
        Self {
            seq: set.seq,
            boot: set.boot,
            set_id: set.set_id,
            exercise: set.exercise,
            reps: set.reps,
            weight_kg: set.weight_cg.map(|scaled| f64::from(scaled) / 100.0),
            duration_s: set.duration_ms.map(|scaled| f64::from(scaled) / 1_000.0),
            rom_mm: set.rom_mm,
            at_ms: set.at_ms,
            uptime_ms: set.uptime_ms,
        }
    }
}

impl SetPayload {
    /// The set as it is kept, with the edge's monotonic time at which it was finished.
    pub fn finish(self, mono_ms: u64) -> FinishedSet {
        FinishedSet {
            seq: self.seq,
            boot: self.boot,
            set_id: self.set_id,
            exercise: self.exercise,
            reps: self.reps,
            weight_cg: self.weight_cg,
            duration_ms: self.duration_ms,
            rom_mm: self.rom_mm,
            at_ms: self.at_ms,
            mono_ms,
        }
    }

    /// The set as it is sent.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a set has nothing that JSON lacks")
    }
}

/// A finished set.
pub fn parse_set(payload: &[u8]) -> Result<SetPayload, Refusal> {
    let mut object = reader::object(payload)?;
    Ok(SetPayload {
        seq: object.required("seq", |object, name| object.integer(name, 0..=u64::MAX))?,
        boot: object.boot()?,
        set_id: object.uuid("set_id")?,
        exercise: object.text("exercise", MAX_NAME_CHARS)?,
        reps: object.required("reps", |object, name| object.integer(name, 0..=u16::MAX))?,
        weight_cg: object.number("weight_kg", 0.0..=MAX_WEIGHT_KG)?.map(|kg| scaled(kg, 100.0)),
        duration_ms: object.number("duration_s", 0.0..=MAX_DURATION_S)?.map(|s| scaled(s, 1_000.0)),
        rom_mm: object.number("rom_mm", 0.0..=f64::from(MAX_ROM_MM))?.map(millimetres),
        at_ms: object.integer("at_ms", i64::MIN..=i64::MAX)?,
        uptime_ms: object.integer("uptime_ms", 0..=u64::MAX)?,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range was checked and fits"
)]
fn scaled(value: f64, scale: f64) -> u32 {
    (value * scale).round() as u32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range was checked and fits"
)]
fn millimetres(value: f64) -> u16 {
    value.round() as u16
}
