//! `[[keyboard]]`: QR scanners that type like keyboards.

use protocol::ids::Code;
use protocol::serial::keyboard::Layout;
use protocol::serial::scanner::{Ending, Settings};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// `[[keyboard]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyboardConfig {
    /// The code of the reader that this scanner is.
    pub code: Code,
    /// Its input device; best a stable name below `/dev/input/by-id/`.
    pub device: PathBuf,
    /// The layout that the scanner types for.
    #[serde(default)]
    pub layout: LayoutKey,
    /// The same code again within this time is the same presentation.
    #[serde(default = "three_seconds")]
    pub repeat_ms: u32,
}

/// The layout that a scanner types for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayoutKey {
    /// United States, the factory setting of most.
    #[default]
    Us,
    /// German.
    De,
}

impl KeyboardConfig {
    /// As the decoder takes it.
    pub fn layout(&self) -> Layout {
        match self.layout {
            LayoutKey::Us => Layout::Us,
            LayoutKey::De => Layout::De,
        }
    }

    /// As the link takes it: Enter ends a code, and so does silence.
    pub fn settings(&self) -> Settings {
        let repeat_within = Duration::from_millis(self.repeat_ms.into());
        Settings { ending: Ending::Any, repeat_within }
    }
}

fn three_seconds() -> u32 {
    3_000
}
