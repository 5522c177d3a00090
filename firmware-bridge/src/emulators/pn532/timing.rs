//! How long things take on a PN532 and in its field.

use std::time::Duration;

/// The times of a chip, its line and its cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// A byte on the line: ten bits.
    pub byte: Duration,
    /// From the end of a command to its ack.
    pub ack: Duration,
    /// From the ack to the answer of a command that concerns no card.
    pub command: Duration,
    /// From the wake-up condition until the chip hears anything.
    pub wake: Duration,
    /// Between two looks for a card.
    pub poll: Duration,
    /// To select a card.
    pub select: Duration,
    /// To switch a card or phone to ISO 14443-4.
    pub ats: Duration,
    /// An exchange with a card, without its bytes.
    pub card: Duration,
    /// A byte in the field: 106 kbit/s.
    pub card_byte: Duration,
    /// What a card with encrypted messages computes.
    pub card_crypto: Duration,
    /// What a phone takes for an answer.
    pub phone: Duration,
    /// What a phone takes for a signature.
    pub phone_signature: Duration,
    /// To notice that a card does not answer.
    pub silence: Duration,
}

impl Timing {
    /// A real chip at 115 200 baud.
    pub const fn real() -> Self {
        Self {
            byte: Duration::from_nanos(86_806),
            ack: Duration::from_millis(1),
            command: Duration::from_millis(1),
            wake: Duration::from_millis(1),
            poll: Duration::from_millis(5),
            select: Duration::from_millis(6),
            ats: Duration::from_millis(6),
            card: Duration::from_millis(2),
            card_byte: Duration::from_micros(85),
            card_crypto: Duration::from_millis(8),
            phone: Duration::from_millis(25),
            phone_signature: Duration::from_millis(70),
            silence: Duration::from_millis(15),
        }
    }

    /// No time at all, for tests in which time is of no concern.
    pub const fn instant() -> Self {
        Self {
            byte: Duration::ZERO,
            ack: Duration::ZERO,
            command: Duration::ZERO,
            wake: Duration::ZERO,
            poll: Duration::ZERO,
            select: Duration::ZERO,
            ats: Duration::ZERO,
            card: Duration::ZERO,
            card_byte: Duration::ZERO,
            card_crypto: Duration::ZERO,
            phone: Duration::ZERO,
            phone_signature: Duration::ZERO,
            silence: Duration::ZERO,
        }
    }
}
