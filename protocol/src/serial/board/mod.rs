//! Our own boards, for host and firmware (`no_std`): frames of `version | postcard(FirmwareMessage) | crc32 of all
//! before (little-endian)`, COBS, `0x00` delimited; the board's side is [`device`], the host's is [`link`].
//!
//! The board says `Hello` until the host answers `Welcome`. Then it says with `Resume` which number comes next and sends
//! what it has, in order. `Held` says up to where everything has arrived, `Ack` which single message is on disk: only
//! then does the board forget it. After a restart the host says `Enquire`, and everything unacked comes again.

pub mod device;
mod frame;
pub mod link;
mod orders;

pub use frame::{FrameError, FrameReader, MAX_FRAME_BYTES, decode, encode};

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The version byte of a frame.
pub const BOARD_VERSION: u8 = 1;

/// What a board and its host say. New kinds are added at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FirmwareMessage {
    /// Board: first thing after a boot, again until the host welcomes it, and when it has been silent for long.
    Hello {
        /// The device's short name.
        code: String,
        /// Version of the firmware.
        firmware: String,
        /// Random, new at every boot.
        boot: u32,
    },
    /// Board: measured values.
    Sample {
        /// Counts up by one over all numbered messages of a boot.
        seq: u64,
        /// Milliseconds since the boot.
        uptime_ms: u64,
        /// Field number and scaled value, as in the table of sample fields.
        values: Vec<(u8, i32)>,
    },
    /// Board: a finished strength set.
    Set {
        /// Counts up by one over all numbered messages of a boot.
        seq: u64,
        /// Milliseconds since the boot.
        uptime_ms: u64,
        /// The board's name for the exercise.
        exercise: Option<String>,
        /// Completed repetitions.
        reps: u16,
        /// Load in hundredths of a kilogram.
        weight_cg: Option<u32>,
        /// Duration in milliseconds.
        duration_ms: Option<u32>,
        /// Range of motion in millimetres.
        rom_mm: Option<u16>,
    },
    /// Board: what it is doing.
    Status {
        /// Counts up by one over all numbered messages of a boot.
        seq: u64,
        /// Milliseconds since the boot.
        uptime_ms: u64,
        /// What it is doing.
        state: BoardState,
        /// What is wrong, in its own words.
        error: Option<String>,
    },
    /// Host: the message with this number is on disk; the board may forget it.
    Ack {
        /// Its number.
        seq: u64,
    },
    /// Host: an order.
    Command {
        /// Which one.
        id: [u8; 16],
        /// What to do, e.g. `lock`.
        command: String,
        /// It is void this many milliseconds after it was received.
        ttl_ms: u32,
    },
    /// Board: how an order ended.
    CommandResult {
        /// Counts up by one over all numbered messages of a boot.
        seq: u64,
        /// Which order.
        id: [u8; 16],
        /// How it ended.
        outcome: BoardOutcome,
    },
    /// Board: positions of the moving part of a strength machine, at equal distances in time.
    Travel {
        /// Counts up by one over all numbered messages of a boot.
        seq: u64,
        /// Milliseconds since the boot at the first position.
        uptime_ms: u64,
        /// Milliseconds from one position to the next, 5 to 500.
        every_ms: u16,
        /// Millimetres from any fixed point, at most five seconds of them.
        position_mm: Vec<i16>,
        /// Load in hundredths of a kilogram.
        weight_cg: Option<u32>,
    },
    /// Host: the board is the one that is expected here; numbered messages may come.
    Welcome {
        /// From its Hello; a board that has started anew since then goes on saying Hello.
        boot: u32,
        /// Random, new at every start of the host.
        session: u32,
    },
    /// Board: answer to Welcome, and again where numbers are missing.
    Resume {
        /// Of the Welcome: an answer to a former host must not be taken for one to this host.
        session: u32,
        /// Numbers from here up to `seq` will not come: they are acked or were dropped. 0 after a Welcome.
        since: u64,
        /// The number that comes next.
        seq: u64,
        /// How many messages were dropped since the boot because the board's memory was full.
        lost: u64,
    },
    /// Host: everything up to this number has arrived. It is not on disk yet, so the board keeps it.
    Held {
        /// The highest number without a gap below it.
        seq: u64,
    },
    /// Host: who is there? The board starts again from its Hello.
    Enquire,
    /// Host: an order to show a text.
    Display {
        /// Which one.
        id: [u8; 16],
        /// What to show.
        text: String,
        /// It is void this many milliseconds after it was received.
        ttl_ms: u32,
    },
}

impl FirmwareMessage {
    /// The number by which the host acks it.
    pub fn seq(&self) -> Option<u64> {
        match *self {
            Self::Sample { seq, .. }
            | Self::Set { seq, .. }
            | Self::Status { seq, .. }
            | Self::CommandResult { seq, .. }
            | Self::Travel { seq, .. } => Some(seq),
            Self::Hello { .. }
            | Self::Ack { .. }
            | Self::Command { .. }
            | Self::Welcome { .. }
            | Self::Resume { .. }
            | Self::Held { .. }
            | Self::Enquire
            | Self::Display { .. } => None,
        }
    }
}

/// What a board is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words of the domain")]
pub enum BoardState {
    Idle,
    InUse,
    Paused,
    Finished,
    OutOfOrder,
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words of the domain")]
pub enum BoardOutcome {
    Done,
    Failed,
    Expired,
    Unknown,
}
