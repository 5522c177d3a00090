//! How one make of console differs from the standard.

use super::command::Get;
use super::frame::{ANY_CONSOLE, Addresses, HOST};
use crate::machine::csafe::{Cadence, Dialect, PaceFormat};
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// What to ask a console for, how often, and how it means its answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quirks {
    /// What it can tell.
    pub commands: Vec<Get>,
    /// Milliseconds from one question to the next.
    #[serde(default = "one_second")]
    pub poll_ms: u32,
    /// Milliseconds of rest between two frames.
    #[serde(default = "usual_gap")]
    pub gap_ms: u32,
    /// Milliseconds after which an answer is late.
    #[serde(default = "usual_patience")]
    pub answer_ms: u32,
    /// Questions in one frame.
    #[serde(default = "all_at_once")]
    pub commands_per_frame: u8,
    /// Whether it wants frames with addresses.
    #[serde(default)]
    pub extended: bool,
    /// Its address, if it wants one.
    #[serde(default = "any_console")]
    pub address: u8,
    /// How it tells its pace.
    #[serde(default)]
    pub pace: PaceFormat,
    /// What it means by cadence.
    #[serde(default)]
    pub cadence: Cadence,
}

/// Quirks that cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{key}: must be between {min} and {max}")]
pub struct BadQuirks {
    /// Which key.
    pub key: &'static str,
    /// Smallest value.
    pub min: u32,
    /// Largest value.
    pub max: u32,
}

impl Quirks {
    /// A console of the standard that can tell these.
    pub fn standard(commands: Vec<Get>) -> Self {
        Self {
            commands,
            poll_ms: one_second(),
            gap_ms: usual_gap(),
            answer_ms: usual_patience(),
            commands_per_frame: all_at_once(),
            extended: false,
            address: any_console(),
            pace: PaceFormat::default(),
            cadence: Cadence::default(),
        }
    }

    /// Refuses numbers that cannot work.
    pub fn check(&self) -> Result<(), BadQuirks> {
        let within = |key, value: u32, min, max| {
            if (min..=max).contains(&value) { Ok(()) } else { Err(BadQuirks { key, min, max }) }
        };
        within("poll_ms", self.poll_ms, 200, 60_000)?;
        within("gap_ms", self.gap_ms, 0, 1_000)?;
        within("answer_ms", self.answer_ms, 50, 1_000)?;
        within("commands_per_frame", self.commands_per_frame.into(), 1, 16)
    }

    pub(super) fn dialect(&self) -> Dialect {
        Dialect { pace: self.pace, cadence: self.cadence }
    }

    pub(super) fn addresses(&self) -> Option<Addresses> {
        self.extended.then_some(Addresses { destination: self.address, source: HOST })
    }

    pub(super) fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms.into())
    }

    pub(super) fn gap(&self) -> Duration {
        Duration::from_millis(self.gap_ms.into())
    }

    pub(super) fn patience(&self) -> Duration {
        Duration::from_millis(self.answer_ms.into())
    }
}

fn one_second() -> u32 {
    1_000
}

/// What the slowest known console needs.
fn usual_gap() -> u32 {
    50
}

/// The longest answer takes 130 ms at 9600 baud, and a console may think for as long again.
fn usual_patience() -> u32 {
    500
}

fn all_at_once() -> u8 {
    16
}

fn any_console() -> u8 {
    ANY_CONSOLE
}
