//! Frames of our own boards, for host and firmware (`no_std`): COBS, `0x00` delimited, of
//! `version | postcard(FirmwareMessage) | crc32 of all before (little-endian)`.

mod frame;

pub use frame::{FrameError, FrameReader, MAX_FRAME_BYTES, decode, encode};

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The version byte of a frame.
pub const BOARD_VERSION: u8 = 1;

/// What a board and its host say. New kinds are added at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FirmwareMessage {
    /// Board: first thing after a boot, and again until the host sends anything.
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
}

impl FirmwareMessage {
    /// The number by which the host acks it.
    pub fn seq(&self) -> Option<u64> {
        match *self {
            Self::Sample { seq, .. }
            | Self::Set { seq, .. }
            | Self::Status { seq, .. }
            | Self::CommandResult { seq, .. } => Some(seq),
            Self::Hello { .. } | Self::Ack { .. } | Self::Command { .. } => None,
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
