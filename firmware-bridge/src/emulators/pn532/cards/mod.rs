//! What can be held to the emulated reader.

mod ntag;
mod ntag424;
mod phone;

pub use ntag::{Model, Ntag};
pub use ntag424::{Ntag424, SunKeys};
pub use phone::{Phone, Willingness};

use super::timing::Timing;
use std::time::Duration;

/// A card or phone.
#[derive(Debug, Clone)]
pub enum Card {
    /// A card of which nothing but its number is read: MIFARE Classic, or a number of ten bytes.
    Plain(Vec<u8>),
    /// A tag with open memory.
    Ntag(Ntag),
    /// A card that makes a new address at each reading.
    Ntag424(Ntag424),
    /// A phone.
    Phone(Phone),
}

/// How a card introduces itself.
#[derive(Debug, Clone)]
pub(super) struct Introduction {
    pub(super) atqa: [u8; 2],
    pub(super) sak: u8,
    pub(super) uid: Vec<u8>,
    /// Empty unless it speaks ISO 14443-4.
    pub(super) ats: Vec<u8>,
}

/// What a card makes of a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Answer {
        bytes: Vec<u8>,
        after: Duration,
    },
    /// Nothing: it does not know the command, or is not in the state for it.
    Mute,
    /// The wrong key.
    BadKey,
}

impl Card {
    /// The card enters the field, or is selected again in it.
    pub(super) fn introduce(&self) -> Introduction {
        match self {
            Self::Plain(uid) if uid.len() == 4 => plain([0x00, 0x04], 0x08, uid),
            Self::Plain(uid) if uid.len() == 10 => plain([0x00, 0x84], 0x08, uid),
            Self::Plain(uid) => plain([0x00, 0x44], 0x08, uid),
            Self::Ntag(tag) => plain([0x00, 0x44], 0x00, tag.uid()),
            Self::Ntag424(card) => Introduction {
                ats: vec![0x06, 0x77, 0x77, 0x71, 0x02, 0x80],
                ..plain([0x03, 0x44], 0x20, card.uid())
            },
            Self::Phone(phone) => Introduction {
                ats: vec![0x05, 0x78, 0x80, 0x70, 0x02],
                ..plain([0x00, 0x04], 0x20, &phone.uid())
            },
        }
    }

    /// The field has gone: everything begins anew.
    pub(super) fn field_off(&mut self) {
        match self {
            Self::Ntag424(card) => card.field_off(),
            Self::Phone(phone) => phone.field_off(),
            Self::Plain(_) | Self::Ntag(_) => {}
        }
    }

    /// A command, without what the chip adds.
    pub(super) fn exchange(&mut self, command: &[u8], timing: &Timing) -> Reply {
        match self {
            Self::Plain(_) => match command {
                [0x60 | 0x61, ..] => Reply::BadKey,
                _ => Reply::Mute,
            },
            Self::Ntag(tag) => match tag.exchange(command) {
                Some(bytes) => Reply::Answer { bytes, after: timing.card },
                None => Reply::Mute,
            },
            Self::Ntag424(card) => {
                let before = card.readings();
                let bytes = card.exchange(command);
                let crypto =
                    if card.readings() == before { Duration::ZERO } else { timing.card_crypto };
                Reply::Answer { bytes, after: timing.card + crypto }
            }
            Self::Phone(phone) => {
                let (bytes, signed) = phone.exchange(command);
                let work = if signed { timing.phone_signature } else { timing.phone };
                Reply::Answer { bytes, after: timing.card + work }
            }
        }
    }
}

fn plain(atqa: [u8; 2], sak: u8, uid: &[u8]) -> Introduction {
    Introduction { atqa, sak, uid: uid.to_vec(), ats: Vec::new() }
}
