//! The live lane: the present state of the floor (`PUT /edge/v1/state`), which builds no history.

use super::entry::DeviceState;
use super::wire::{self, WireError};
use crate::ids::DeviceId;
use crate::machine::{FIELDS, Field, Fields};
use crate::time::Stamp;
use serde::{Deserialize, Serialize};

/// Media type of a live state.
pub const STATE_MEDIA_TYPE: &str = "application/vnd.gymwire.state";
/// The newest version of [`LiveState`]'s encoding.
pub const STATE_VERSION: u8 = 1;
/// An encoded state is at most this long, and a packed one after it was inflated.
pub const MAX_STATE_BYTES: usize = 1024 * 1024;

/// Of zstd: a state is small, and sent at most ten times a second.
const PACK_LEVEL: i32 = 9;

/// A place in an edge's journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which opening of the journal.
    pub epoch: u64,
    /// Position in it.
    pub seq: u64,
}

/// The cloud's answer to a state (JSON). An empty answer is that of a cloud which does not know: somebody may watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateAnswer {
    /// Somebody looks at the floor now. If nobody does, samples are wanted once in a while only.
    pub watched: bool,
    /// Machines whose samples somebody waits for: they are wanted as soon as they come.
    #[serde(default)]
    pub followed: Vec<DeviceId>,
}

/// The state of the floor, or what changed since the last one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveState {
    /// Random number of this start of the agent.
    pub boot: u64,
    /// Counts up; the cloud keeps a state only if (boot, n) is newer.
    pub n: u64,
    /// When it was taken.
    pub stamp: Stamp,
    /// Facts up to here are in it; arriving later they build history and raise no realtime event.
    pub as_of: Position,
    /// Whether it replaces everything (after a connect) or adds to the last one.
    pub full: bool,
    /// The branch as a whole.
    pub floor: Floor,
    /// Machines and readers, all of them or those that changed.
    pub machines: Vec<LiveDevice>,
}

/// The branch as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Floor {
    /// Journal entries the cloud does not have yet.
    pub backlog_entries: u64,
    /// Age of the oldest of them in milliseconds.
    pub oldest_unsent_ms: u64,
    /// Free bytes on the disk of the journal.
    pub disk_free_bytes: u64,
    /// Messages refused since the agent's start.
    pub rejects: u64,
    /// Gap records written since the agent's start.
    pub gaps: u64,
    /// Version of the agent.
    pub agent_version: String,
}

/// What a device is doing now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveDevice {
    /// Which device.
    pub device: DeviceId,
    /// What it is doing.
    pub state: DeviceState,
    /// What is wrong, in its own words.
    pub error: Option<String>,
    /// Its last sample: monotonic time of the edge and scaled values by field number.
    pub sample: Option<LiveSample>,
}

/// A last sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSample {
    /// Monotonic time of the edge.
    pub mono_ms: u64,
    /// Field number and scaled value, as in [`FIELDS`].
    pub values: Vec<(u8, i32)>,
}

impl LiveSample {
    /// Packs the fields of a sample.
    pub fn new(mono_ms: u64, fields: &Fields) -> Self {
        let values = FIELDS
            .iter()
            .filter_map(|spec| fields.scaled(spec.field).map(|scaled| (spec.field as u8, scaled)))
            .collect();
        Self { mono_ms, values }
    }

    /// The fields; numbers that this build does not know are left out.
    pub fn fields(&self) -> Fields {
        let mut fields = Fields::default();
        for &(number, scaled) in &self.values {
            if let Some(spec) = FIELDS.get(usize::from(number)) {
                fields.set_scaled(spec.field, scaled);
            }
        }
        fields
    }

    /// Takes a field out.
    pub fn clear(&mut self, field: Field) {
        self.values.retain(|&(number, _)| number != field as u8);
    }
}

impl LiveState {
    /// `version || postcard`.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(STATE_VERSION, self)
    }

    /// zstd of [`LiveState::encode`], with its devices in the order of their ids: such ids have more in common with
    /// their neighbours.
    pub fn pack(mut self) -> Vec<u8> {
        self.machines.sort_unstable_by_key(|device| device.device);
        wire::deflate(&self.encode(), PACK_LEVEL)
    }

    /// The inverse of [`LiveState::pack`]; inflates no more than [`MAX_STATE_BYTES`].
    pub fn unpack(packed: &[u8]) -> Result<Self, WireError> {
        Self::decode(&wire::inflate(packed, MAX_STATE_BYTES)?)
    }

    /// The inverse of [`LiveState::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > MAX_STATE_BYTES {
            return Err(WireError::TooLarge { limit: MAX_STATE_BYTES });
        }
        wire::decode(STATE_VERSION, bytes)
    }
}
