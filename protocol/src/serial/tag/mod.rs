//! What cards and phones say to a reader, whatever chip stands between: pure, driven by the links of the chips.
//!
//! [`Identification`] finds out whom a target stands for, [`Presence`] which targets were there before, and
//! [`Type2Reader`] reads the message of an NTAG 21x.

pub mod apdu;
mod identification;
pub mod ndef;
mod presence;
mod sun_url;
mod type2;
mod type4;

pub use identification::{Finding, Habits, Identification, Step};
pub use presence::{ABSENCE, Key, Presence};
pub use sun_url::SunNames;
pub use type2::{Type2Reader, Type2Step};

/// A card or phone as it introduces itself when it is selected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// Answer to the request, as the reader gives it: high byte first.
    pub atqa: [u8; 2],
    /// What it can do: bit 5 says ISO 14443-4.
    pub sak: u8,
    /// Its number: 4, 7 or 10 bytes.
    pub uid: Vec<u8>,
}

impl Target {
    /// Whether it understands APDUs.
    pub fn speaks_apdus(&self) -> bool {
        self.sak & 0x20 != 0
    }

    /// Whether its number was made up for this activation, as phones do: it then says nothing about who it is.
    pub fn is_random(&self) -> bool {
        self.uid.len() == 4 && self.uid[0] == 0x08
    }

    /// Whether it is an Ultralight or NTAG 21x: memory in pages that anyone may read.
    pub fn is_type2(&self) -> bool {
        self.sak == 0 && self.uid.len() == 7
    }
}
