//! Sets and repetitions out of positions: for strength machines that only tell where the moving part is.
//!
//! [`Detector`] finds sets in one stream of positions. [`Tracker`] does so for the numbered messages of a board and says
//! which of them a set that is not finished still needs. Nothing here knows which end of the travel is rest.
//!
//! - A movement is a change of 20 mm; less is noise. A single wild position is filtered out.
//! - The *reference* of a set is the median of its movements that reach at least half of the largest one.
//! - A movement of 60 % of the reference or more is full. A repetition is a full movement and the full movement back.
//! - Smaller ones (25 to 60 %) are partial repetitions or halts within one: they are told apart, not counted.
//! - A set ends when nothing has moved for `pause_ms`, when the load changes, or after ten minutes. A set whose reference
//!   is below `min_rom_mm` is none: somebody took hold of the machine or moved its seat.

mod detector;
#[cfg(test)]
mod tests;
mod tracker;
mod turns;

pub use detector::{Detector, Ended};
pub use tracker::{Publication, Step, Tracker, Travel};
pub use turns::StrengthSet;

/// When a movement counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Nothing moves for so long: the set is over. More than five seconds, the longest message.
    pub pause_ms: u64,
    /// A set with a smaller range of motion is none, in millimetres.
    pub min_rom_mm: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self { pause_ms: 10_000, min_rom_mm: 100 }
    }
}
