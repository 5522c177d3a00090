//! `[[board]]`: our own boards.

use anyhow::{Result, bail};
use protocol::ids::Code;
use protocol::machine::reps;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[[board]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardConfig {
    /// The code of the machine that the board is in; the board must say the same.
    pub code: Code,
    /// Its port; best a stable name below `/dev/serial/by-id/`.
    pub port: PathBuf,
    /// Speed of the line; USB boards do not care.
    #[serde(default = "usual_baud")]
    pub baud: u32,
    /// A set is over when nothing has moved for so many seconds, 6 to 14.
    #[serde(default = "ten_seconds")]
    pub set_pause_s: u8,
    /// A set with a smaller range of motion in millimetres is none, 40 to 2000.
    #[serde(default = "ten_centimetres")]
    pub min_rom_mm: u16,
}

impl BoardConfig {
    /// When a movement counts.
    pub fn sets(&self) -> reps::Settings {
        let pause_ms = u64::from(self.set_pause_s) * 1_000;
        reps::Settings { pause_ms, min_rom_mm: self.min_rom_mm }
    }

    pub(super) fn check(&self) -> Result<()> {
        if !(300..=4_000_000).contains(&self.baud) {
            bail!("board.baud: {} is not between 300 and 4000000", self.baud);
        }
        if !(6..=14).contains(&self.set_pause_s) {
            bail!("board.set_pause_s: {} is not between 6 and 14", self.set_pause_s);
        }
        if !(40..=2_000).contains(&self.min_rom_mm) {
            bail!("board.min_rom_mm: {} is not between 40 and 2000", self.min_rom_mm);
        }
        Ok(())
    }
}

fn usual_baud() -> u32 {
    115_200
}

fn ten_seconds() -> u8 {
    10
}

fn ten_centimetres() -> u16 {
    100
}
