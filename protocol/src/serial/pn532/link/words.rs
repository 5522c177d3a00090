//! What goes into the link to a chip, and what comes out of it.

use crate::credential::Credential;
use crate::serial::tag::SunNames;
use crate::serial::tag::ndef::Record;
use std::time::Duration;

/// How the reader is set up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Names in the addresses of NTAG 424 DNA cards.
    pub sun: SunNames,
}

/// What happens to the link.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// The port was opened, for the first time or anew.
    Opened,
    /// The chip sent bytes.
    Bytes(&'a [u8]),
    /// The agent has answered the question `request` with a nonce.
    Nonce {
        /// Number of the question.
        request: u32,
        /// 16 random bytes.
        nonce: [u8; 16],
        /// Number of the branch, which the phone signs too.
        site_no: u16,
    },
    /// Time has passed; due at [`Link::wake_at`](super::Link::wake_at).
    Tick,
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// To be sent to the chip.
    Write(Vec<u8>),
    /// Something was presented.
    Presented {
        /// What it is.
        credential: Credential,
        /// When the chip reported it.
        at: Duration,
    },
    /// The agent is to be asked for a nonce, wanted within 1.5 s: a phone is there, or something that may be one.
    AskNonce {
        /// Number of the question.
        request: u32,
    },
    /// The reader does not work; said once, until [`Output::Working`].
    Faulty(Fault),
    /// The reader works, for the first time or again.
    Working {
        /// Version and revision of the chip's firmware.
        firmware: (u8, u8),
    },
    /// Something that is no presentation.
    Notice(Notice),
}

/// Why the reader does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No answer, or none that can be understood.
    #[error("the chip does not answer")]
    Silent,
    /// It does not know a command that every PN532 knows.
    #[error("the chip does not understand a command")]
    Refused,
    /// Another chip.
    #[error("the chip is no PN532: it calls itself {0:#04X}")]
    OtherChip(u8),
}

/// What may help whoever wonders why nothing happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A phone that wants to be unlocked.
    PhoneLocked,
    /// A phone without our application, or a card with a number that changes.
    Nobody,
    /// It went away too soon, or answered nonsense.
    Unreadable,
    /// The agent gave no nonce in time.
    NoNonce,
    /// The first record on an NTAG 21x that was presented.
    Carries(Record),
    /// So many of what was presented have left.
    Left(usize),
}
