//! `[[nfc]]`

use anyhow::{Result, bail};
use protocol::ids::Code;
use protocol::serial::pn532::Settings;
use protocol::serial::tag::SunNames;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A reader of cards and phones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NfcConfig {
    /// The code of the reader.
    pub code: Code,
    /// Its port; best a stable name below `/dev/serial/by-id/`.
    pub port: PathBuf,
    /// Who speaks to the chip.
    #[serde(default)]
    pub driver: NfcDriver,
    /// Speed of the line; a PN532 has this one after each reset.
    #[serde(default = "usual_baud")]
    pub baud: u32,
    /// Names in the addresses of NTAG 424 DNA cards.
    #[serde(default)]
    pub sun: SunNameKeys,
}

/// Who speaks to the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NfcDriver {
    /// This program.
    #[default]
    Pn532Uart,
    /// The library libnfc, if this program was built with it.
    Libnfc,
}

/// Names in the addresses of NTAG 424 DNA cards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SunNameKeys {
    /// Encrypted number and counter.
    pub picc_data: String,
    /// Encrypted file data.
    pub enc: String,
    /// The proof.
    pub cmac: String,
}

impl NfcConfig {
    /// As the link takes it.
    pub fn settings(&self) -> Settings {
        let SunNameKeys { picc_data, enc, cmac } = self.sun.clone();
        Settings { sun: SunNames { picc_data, enc, cmac } }
    }

    pub(super) fn check(&self) -> Result<()> {
        if !(9_600..=1_288_000).contains(&self.baud) {
            bail!("nfc.baud: {} is not between 9600 and 1288000", self.baud);
        }
        if self.driver == NfcDriver::Libnfc && !cfg!(feature = "libnfc") {
            bail!("nfc.driver: this firmware-bridge was built without libnfc");
        }
        let SunNameKeys { picc_data, enc, cmac } = &self.sun;
        for (key, name) in [("picc_data", picc_data), ("enc", enc), ("cmac", cmac)] {
            if name.is_empty() || name.contains(['&', '=', '#', '?']) {
                bail!("nfc.sun.{key}: {name:?} is no name of a parameter");
            }
        }
        Ok(())
    }
}

impl Default for SunNameKeys {
    fn default() -> Self {
        let SunNames { picc_data, enc, cmac } = SunNames::default();
        Self { picc_data, enc, cmac }
    }
}

fn usual_baud() -> u32 {
    115_200
}
