//! `[[csafe]]`

use crate::drivers::csafe::load_quirks;
use anyhow::{Context, Result, bail};
use protocol::ids::Code;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
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

/// Refuses consoles that cannot work, or whose port is among `ports`; adds theirs.
pub(super) fn check<'a>(
    consoles: &'a [CsafeConfig],
    ports: &mut BTreeSet<&'a PathBuf>,
) -> Result<()> {
    let mut codes = BTreeSet::new();
    for CsafeConfig { code, port, baud, quirks } in consoles {
        if !codes.insert(code) {
            bail!("csafe.code: {code} is there twice");
        }
        if !ports.insert(port) {
            bail!("csafe.port: {} is there twice", port.display());
        }
        if !(300..=4_000_000).contains(baud) {
            bail!("csafe.baud: {baud} is not between 300 and 4000000");
        }
        load_quirks(quirks).context("csafe.quirks")?;
    }
    Ok(())
}

fn usual_baud() -> u32 {
    9600
}
