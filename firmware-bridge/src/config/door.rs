//! `[[door]]`

use crate::drivers::door::WireName;
use crate::drivers::door::state::Limits;
use anyhow::{Result, bail};
use protocol::ids::Code;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// A door with its readers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorConfig {
    /// The codes of the readers that open it.
    pub readers: Vec<Code>,
    /// Where its relay is: a GPIO line by name, or `unix:/path` of a simulated relay.
    pub line: WireName,
    /// How long it is open, unless the decision says otherwise.
    #[serde(default = "three_seconds")]
    pub open_ms: u32,
    /// How long a decision or `open` may open it at most.
    #[serde(default = "ten_seconds")]
    pub max_open_ms: u32,
    /// How long `hold_open` holds it, unless the command says otherwise.
    #[serde(default = "quarter_of_an_hour")]
    pub hold_ms: u32,
    /// How long `hold_open` or `lock` with a time may last at most.
    #[serde(default = "four_hours")]
    pub max_hold_ms: u32,
    /// Lamp for "come in".
    pub green: Option<WireName>,
    /// Lamp for "no".
    pub red: Option<WireName>,
    /// Buzzer.
    pub buzzer: Option<WireName>,
}

impl DoorConfig {
    /// As the door takes it.
    pub fn limits(&self) -> Limits {
        let millis = |ms: u32| Duration::from_millis(ms.into());
        Limits {
            open: millis(self.open_ms),
            max_open: millis(self.max_open_ms),
            hold: millis(self.hold_ms),
            max_hold: millis(self.max_hold_ms),
        }
    }

    fn wires(&self) -> impl Iterator<Item = &WireName> {
        [Some(&self.line), self.green.as_ref(), self.red.as_ref(), self.buzzer.as_ref()]
            .into_iter()
            .flatten()
    }

    fn check(&self) -> Result<()> {
        if self.readers.is_empty() {
            bail!("door.readers: must name a reader");
        }
        if !(100..=60_000).contains(&self.max_open_ms) {
            bail!("door.max_open_ms: {} is not between 100 and 60000", self.max_open_ms);
        }
        if !(100..=self.max_open_ms).contains(&self.open_ms) {
            bail!("door.open_ms: {} is not between 100 and max_open_ms", self.open_ms);
        }
        if self.max_hold_ms > 86_400_000 {
            bail!("door.max_hold_ms: {} is more than a day", self.max_hold_ms);
        }
        if !(1_000..=self.max_hold_ms).contains(&self.hold_ms) {
            bail!("door.hold_ms: {} is not between 1000 and max_hold_ms", self.hold_ms);
        }
        Ok(())
    }
}

/// Refuses doors that get in each other's way.
pub(super) fn check(doors: &[DoorConfig]) -> Result<()> {
    let (mut readers, mut wires) = (BTreeSet::new(), BTreeSet::new());
    for door in doors {
        door.check()?;
        for reader in &door.readers {
            if !readers.insert(reader) {
                bail!("door.readers: {reader} is there twice");
            }
        }
        for wire in door.wires() {
            if !wires.insert(wire) {
                bail!("door.line: {wire} is there twice");
            }
        }
    }
    Ok(())
}

fn three_seconds() -> u32 {
    3_000
}

fn ten_seconds() -> u32 {
    10_000
}

fn quarter_of_an_hour() -> u32 {
    900_000
}

fn four_hours() -> u32 {
    14_400_000
}
