//! What goes into the link to a board, and what comes out of it.

use crate::serial::board::FirmwareMessage;
use crate::serial::board::orders::{Order, Unanswered};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// What happens to the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<'a> {
    /// The board sent bytes.
    Bytes(&'a [u8]),
    /// Time has passed; due at [`Link::wake_at`](super::Link::wake_at).
    Tick,
    /// The port was opened, also for the first time.
    Reopened,
    /// The port is gone.
    Closed,
    /// An accepted message is on disk, or nothing needs it any more: the board may forget it.
    Settled {
        /// Of the board when it sent the message.
        boot: u32,
        /// The message.
        seq: u64,
    },
    /// An order for the board.
    Order {
        /// What to do.
        order: Order,
        /// How long from now it may still be begun.
        ttl: Duration,
    },
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// To be written to the port.
    Write(Vec<u8>),
    /// The expected board is there.
    Found {
        /// Version of its firmware.
        firmware: String,
        /// The boot that its messages belong to from now on.
        boot: u32,
        /// Whether it has another boot than before: what the former one had not sent is gone.
        is_new_boot: bool,
    },
    /// Another board is there; nothing of it is taken.
    Foreign {
        /// What it says it is.
        code: String,
    },
    /// Nobody answers, or no more, or the port has been gone for as long.
    Silent,
    /// A numbered message, each once and in order within a boot.
    Message {
        /// The boot it belongs to.
        boot: u32,
        /// The message.
        message: FirmwareMessage,
    },
    /// The board had to drop messages; their numbers will never come.
    Lost {
        /// How many since its boot.
        total: u64,
    },
    /// An order ended without an answer of the board.
    Unanswered {
        /// Which one.
        id: [u8; 16],
        /// Why.
        why: Unanswered,
    },
}
