//! A card reader: the chip PN532 on a pseudo terminal, with cards and phones to hold to it.
//!
//! [`Chip`] and [`Line`] are values without a clock, so that thousands of faults are tried in seconds; [`Pn532`] puts
//! them behind a port, in real time.

mod cards;
mod chip;
mod device;
mod line;
mod play;
mod timing;

pub use cards::{Card, Model, Ntag, Ntag424, Phone, SunKeys, Willingness};
pub use chip::Chip;
pub use device::{Pn532, Presented};
pub(super) use play::play;

pub use line::{Direction, Incident, Line, Planned, Trouble};
pub use timing::Timing;
