//! What an edge's journal keeps: events, one by one.

use super::wire::{self, WireError};
use crate::credential::StoredCredential;
use crate::ids::{Code, CommandId, CredentialId, DeviceId, MemberId, SetId, TapId};
use crate::mqtt::payloads::{DecisionAction, DecisionOutcome};
use crate::rules::Deed;
use crate::sync::staff::StaffAct;
use crate::time::Stamp;
use serde::{Deserialize, Serialize};

/// The newest version of [`Event`]'s encoding.
pub const EVENT_VERSION: u8 = 1;

/// A journal entry is at most this long.
pub const MAX_ENTRY_BYTES: usize = 256 * 1024;

/// Something that happened in a branch and counts: it is applied once, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When the edge journaled it.
    pub stamp: Stamp,
    /// Which authenticated connection it came over.
    pub source: Source,
    /// What happened.
    pub body: Body,
}

/// Who said it; proven by the login of the connection, never taken from a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Source {
    /// The edge agent itself.
    Edge,
    /// A machine, reader or bridge of the branch.
    Device(DeviceId),
    /// A device that spoke for itself through a bridge which it is assigned to.
    Bridged {
        /// The device that is spoken for.
        device: DeviceId,
        /// The bridge that speaks.
        bridge: DeviceId,
    },
}

impl Source {
    /// The device the event is about, if any.
    pub fn device(&self) -> Option<DeviceId> {
        match *self {
            Self::Edge => None,
            Self::Device(device) | Self::Bridged { device, .. } => Some(device),
        }
    }
}

/// What happened. New kinds are added at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// A credential was presented at a reader.
    Tap(Tap),
    /// A strength set was finished.
    Set(FinishedSet),
    /// A device's state changed, or it said the same again after a reconnect.
    Status(DeviceStatus),
    /// A machine reports something about its own condition.
    Maintenance(Maintenance),
    /// A device answered a command.
    CommandResult(CommandResult),
    /// A device sent something unusable.
    Reject(Reject),
    /// Data was thinned, dropped or lost at the edge.
    Gap(Gap),
    /// Something about the edge itself that staff should know.
    Notice(Notice),
    /// A device was added at the branch while the cloud was away; the cloud adopts or refuses it.
    DeviceProposed(DeviceProposal),
    /// Staff gave a device a new secret at the branch, or locked it out; the cloud takes it over.
    DeviceSecret(DeviceSecret),
    /// What the edge decided about a tap.
    Decision(Decision),
    /// What a tap or a request came to, by the rules: what the branch's stays and links are made of. What devices say
    /// is no deed of its own, see [`crate::rules::deeds_of`].
    Deed(Deed),
    /// What staff did on the branch's page.
    StaffAct(StaffAct),
}

/// A credential presented at a reader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tap {
    /// Identifies the presentation.
    pub tap_id: TapId,
    /// What was presented, without reusable secrets.
    pub credential: StoredCredential,
    /// Milliseconds between the presentation and its arrival at the edge.
    pub age_ms: u32,
}

/// What the edge decided about a tap, by the roster, the time and the settings that it knew. It is journaled in the
/// same commit as its tap and names no person but by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// About which tap.
    pub tap_id: TapId,
    /// At which reader.
    pub reader: DeviceId,
    /// Whose credential it was, if anybody's.
    pub member: Option<MemberId>,
    /// Which credential it was, if it is in the roster.
    pub credential: Option<CredentialId>,
    /// Of a card: its keyed hash, as in [`StoredCredential::NfcUid`]; also of an NTAG 424 DNA once it was proven.
    pub card: Option<[u8; 32]>,
    /// Of an NTAG 424 DNA: the counter that counts as used from now on.
    pub sun_counter: Option<u32>,
    /// May they.
    pub outcome: DecisionOutcome,
    /// What it did.
    pub action: DecisionAction,
    /// Machine-readable, e.g. `unknown_card`; at most 64 characters.
    pub reason: String,
    /// It was decided without knowing the time for certain.
    pub time_uncertain: bool,
}

/// A finished strength set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinishedSet {
    /// Counts up by one per device over telemetry and sets together.
    pub seq: u64,
    /// Random, new at every boot of the device.
    pub boot: Option<u32>,
    /// Identifies the set, if the device can make one.
    pub set_id: Option<SetId>,
    /// The device's name for the exercise.
    pub exercise: Option<String>,
    /// Completed repetitions.
    pub reps: u16,
    /// Load in hundredths of a kilogram.
    pub weight_cg: Option<u32>,
    /// Duration in milliseconds.
    pub duration_ms: Option<u32>,
    /// Range of motion in millimetres.
    pub rom_mm: Option<u16>,
    /// Unix milliseconds by the device's own clock.
    pub at_ms: Option<i64>,
    /// Monotonic time of the edge at which it was finished, as well as the edge knows.
    pub mono_ms: u64,
}

/// What a device is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum DeviceState {
    /// Ready for use.
    Idle,
    /// Being used.
    InUse,
    /// The exercise is paused.
    Paused,
    /// The exercise has ended and the console shows its result.
    Finished,
    /// Broken or switched off by staff.
    OutOfOrder,
    /// Not connected.
    Offline,
}

/// A device's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceStatus {
    /// What it is doing.
    pub state: DeviceState,
    /// Version of its firmware.
    #[cfg_attr(feature = "schema", schemars(length(max = crate::mqtt::payloads::MAX_NAME_CHARS)))]
    pub firmware: Option<String>,
    /// Milliseconds since its boot.
    pub uptime_ms: Option<u64>,
    /// What is wrong, in its own words.
    #[cfg_attr(feature = "schema", schemars(length(max = crate::mqtt::payloads::MAX_TEXT_CHARS)))]
    pub error: Option<String>,
}

/// How bad a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names say it")]
pub enum Severity {
    Info,
    Warning,
    Fault,
}

/// A machine's report about its own condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Maintenance {
    /// The maker's code.
    #[cfg_attr(feature = "schema", schemars(length(max = crate::mqtt::payloads::MAX_NAME_CHARS)))]
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// In words.
    #[cfg_attr(feature = "schema", schemars(length(max = crate::mqtt::payloads::MAX_TEXT_CHARS)))]
    pub message: String,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Outcome {
    /// Carried out.
    Done,
    /// Tried, without success.
    Failed,
    /// Its time to live was over.
    Expired,
    /// The device does not know such a command.
    Unknown,
}

/// A device's answer to a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommandResult {
    /// Which command.
    pub id: CommandId,
    /// How it ended.
    pub outcome: Outcome,
    /// In words.
    #[cfg_attr(feature = "schema", schemars(length(max = crate::mqtt::payloads::MAX_TEXT_CHARS)))]
    pub detail: Option<String>,
}

/// A payload that could not be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reject {
    /// The topic it was sent to, cut to 256 bytes.
    pub topic: String,
    /// Machine-readable reason, e.g. `out_of_range`.
    pub code: String,
    /// The field that is wrong, if it is one field.
    pub field: Option<String>,
    /// In words.
    pub message: String,
    /// The first 256 bytes of the payload.
    #[serde(with = "bytes")]
    pub payload: Vec<u8>,
    /// How many this record stands for: 1, or more once the hourly limit of full records is used up.
    pub count: u32,
}

/// A kind of data with a quota of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Samples.
    Telemetry,
    /// Statuses, maintenance, command results, notices.
    Status,
    /// Rejects.
    Reject,
    /// Taps, sessions, links, sets: never dropped on purpose, but a broken store may lose them.
    Fact,
}

/// Why data is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// Thinned to one sample a minute to save space.
    Thinned,
    /// Dropped, oldest first, to save space.
    Dropped,
    /// Unreadable in a damaged store.
    Damaged,
}

/// A record of data that is missing: journal positions `first_seq..=last_seq` of the same epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Which kind of data.
    pub stream: Stream,
    /// Why.
    pub reason: GapReason,
    /// First journal position that is affected.
    pub first_seq: u64,
    /// Last journal position that is affected.
    pub last_seq: u64,
    /// How many samples or events are missing; 0 if nobody can tell.
    pub count: u64,
}

/// Something about the edge itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Machine-readable, e.g. `journal_set_aside`.
    pub code: String,
    /// In words.
    pub detail: String,
}

/// What kind of device it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the words of the domain")]
pub enum DeviceKind {
    Machine,
    Reader,
    Bridge,
    Observer,
}

/// A device added at the branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceProposal {
    /// The id the edge gave it.
    pub id: DeviceId,
    /// Its short name.
    pub code: Code,
    /// What it is.
    pub kind: DeviceKind,
    /// SHA-256 of its secret.
    pub secret_sha256: [u8; 32],
}

/// A device's secret was changed at the branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceSecret {
    /// Which device.
    pub id: DeviceId,
    /// SHA-256 of the secret it had until then. It counts only for the cloud if it knows no other: what was
    /// changed in the cloud meanwhile stays.
    pub former_sha256: Option<[u8; 32]>,
    /// SHA-256 of its new secret; none locks it out until it is given one.
    pub secret_sha256: Option<[u8; 32]>,
}

impl Event {
    /// `version || postcard`.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(EVENT_VERSION, self)
    }

    /// The inverse of [`Event::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(WireError::TooLarge { limit: MAX_ENTRY_BYTES });
        }
        wire::decode(EVENT_VERSION, bytes)
    }

    /// Which quota it counts to.
    pub fn stream(&self) -> Stream {
        match self.body {
            Body::Tap(_)
            | Body::Set(_)
            | Body::Gap(_)
            | Body::DeviceProposed(_)
            | Body::DeviceSecret(_)
            | Body::Decision(_)
            | Body::Deed(_)
            | Body::StaffAct(_) => Stream::Fact,
            Body::Reject(_) => Stream::Reject,
            Body::Status(_) | Body::Maintenance(_) | Body::CommandResult(_) | Body::Notice(_) => {
                Stream::Status
            }
        }
    }
}

/// Byte strings as one length and the bytes, instead of a sequence of numbers.
pub(super) mod bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        <&[u8]>::deserialize(from).map(<[u8]>::to_vec)
    }
}
