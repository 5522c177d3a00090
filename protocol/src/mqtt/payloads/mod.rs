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
pub use set::{SetPayload, parse_set};
pub use tap::{Challenge, TapPayload, parse_challenge, parse_tap, tap_json};
pub use telemetry::{MAX_SAMPLES_PER_MESSAGE, parse_telemetry, telemetry_json};

/// A longer payload is refused as `too_large`.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
