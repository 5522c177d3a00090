//! `[[csafe]]`

use crate::drivers::csafe::load_quirks;
use anyhow::{Context, Result, bail};
use protocol::ids::Code;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The console of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsafeConfig {
    /// The code of the machine that this console belongs to.
    pub code: Code,
    /// Its port; best a stable name below `/dev/serial/by-id/`.
    pub port: PathBuf,
    /// Speed of the line.
    #[serde(default = "usual_baud")]
    pub baud: u32,
    /// Name of a built-in set of quirks, or a file.
    pub quirks: String,
}

impl CsafeConfig {
    pub(super) fn check(&self) -> Result<()> {
        if !(300..=4_000_000).contains(&self.baud) {
            bail!("csafe.baud: {} is not between 300 and 4000000", self.baud);
        }
        load_quirks(&self.quirks).context("csafe.quirks")?;
        Ok(())
    }
}

fn usual_baud() -> u32 {
    9600
}
