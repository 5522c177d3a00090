//! What CSAFE consoles say, decoded into what a sample has. The frames are in [`crate::serial::csafe`].

mod reading;
pub mod unit;

pub use reading::{Cadence, Dialect, PaceFormat, Reading, Trouble};

use crate::serial::csafe::answer::{self, BadAnswer};
use crate::serial::csafe::frame::FrameReader;

/// Why a frame cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsafeError {
    /// No frame from its start flag to its stop flag, or its checksum is wrong.
    #[error("no whole frame with a right checksum")]
    NoFrame,
    /// More than one.
    #[error("more than one frame")]
    SeveralFrames,
    /// The frame is no answer of a console.
    #[error(transparent)]
    BadAnswer(#[from] BadAnswer),
    /// A value was out of range, or nothing at all was understood of what it said.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

/// Decodes one answer of a console, from start flag to stop flag.
///
/// An answer whose unit is not known is left out, and the frame is refused only when nothing else was in it. A value
/// out of range refuses it as a whole, as it does in a sample.
pub fn decode(frame: &[u8], dialect: Dialect) -> Result<Reading, CsafeError> {
    let frames = FrameReader::default().push(frame);
    let contents = match frames.as_slice() {
        [one] => &one.contents,
        [] => return Err(CsafeError::NoFrame),
        _ => return Err(CsafeError::SeveralFrames),
    };
    let answer = answer::parse(contents)?;
    let mut reading = Reading::default();
    reading.add(&answer.items, dialect);
    let is_fatal = |trouble: &&Trouble| {
        reading.fields.is_empty() || matches!(trouble, Trouble::OutOfRange { .. })
    };
    match reading.troubles.iter().find(is_fatal) {
        Some(trouble) => Err((*trouble).into()),
        None => Ok(reading),
    }
}
