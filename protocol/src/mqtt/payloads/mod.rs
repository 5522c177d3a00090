//! JSON payloads: bytes in, values out, or a refusal that names the field. The same types go back to JSON
//! for whoever sends them (bridge, simulator, agent).

mod device;
mod outbound;
mod raw;
mod reader;
mod set;
mod strict;
mod tap;
mod telemetry;

pub use device::{parse_maintenance, parse_result, parse_status};
pub use outbound::{
    CommandMessage, DecisionAction, DecisionMessage, DecisionOutcome, ErrorReport, LinkMessage,
};
pub use raw::{RawFrame, parse_raw_frame};
pub use reader::Refusal;
#[cfg(feature = "schema")]
pub(super) use set::SetJson;
pub use set::{SetPayload, parse_set};
pub use tap::{Challenge, TapPayload, parse_challenge, parse_tap, tap_json};
pub use telemetry::{MAX_SAMPLES_PER_MESSAGE, parse_telemetry, telemetry_json};

/// Longest code, version or name of an exercise, in characters.
pub const MAX_NAME_CHARS: usize = 64;
/// Longest text for people, in characters.
pub const MAX_TEXT_CHARS: usize = 512;
/// Longest text of a QR code, in characters.
pub const MAX_QR_CHARS: usize = 512;
/// A longer payload is refused as `too_large`.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
