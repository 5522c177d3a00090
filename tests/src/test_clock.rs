//! The time that a running agent believes in, stepped by its feature `test-clock`: wall time, monotonic time, boot, and
//! whether its operating system vouches for the clock.

use crate::edge::Edge;
use anyhow::Result;
use edge_agent::ops::clock::Clock;
use serde::Serialize;
use std::fs;
use std::path::PathBuf;

/// A day in milliseconds.
pub const DAY_MS: i64 = 24 * 3600 * 1000;
/// What a clock without a battery shows after some minutes.
const AFTER_POWER_ON_MS: i64 = 5 * 60_000;

/// The file that an agent reads its steps from, beside its state.
#[derive(Debug)]
pub struct TestClock {
    file: PathBuf,
}

/// Where an agent's clocks stand beside the computer's.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Step {
    /// The clocks stand, at these two.
    pub stands: bool,
    /// Wall clock.
    pub wall_ms: i64,
    /// Monotonic clock.
    pub mono_ms: i64,
    /// Whether the operating system says that its clock is synchronised; its own word if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synced: Option<bool>,
    /// The number of the boot; the computer's if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<u64>,
}

impl Step {
    /// A computer without a clock battery that was switched on some minutes ago: both clocks count from zero.
    pub fn in_1970(boot: u64) -> Self {
        Self::going_on_in_1970(boot, AFTER_POWER_ON_MS)
    }

    /// The same computer so long after it was switched on, standing still.
    pub fn standing_in_1970(boot: u64, mono_ms: i64) -> Self {
        Self { stands: true, wall_ms: mono_ms, mono_ms, synced: Some(false), boot: Some(boot) }
    }

    /// The same going on from there.
    pub fn going_on_in_1970(boot: u64, mono_ms: i64) -> Self {
        let now = Clock::system().stamp();
        Self {
            stands: false,
            wall_ms: mono_ms - now.wall_ms,
            mono_ms: mono_ms.saturating_sub_unsigned(now.mono_ms),
            synced: Some(false),
            boot: Some(boot),
        }
    }
}

impl TestClock {
    /// For an agent's later starts.
    pub fn of(edge: &mut Edge) -> Self {
        let file = edge.state().with_file_name("clock.json");
        edge.env("GYMWIRE_TEST_CLOCK", &file.display());
        Self { file }
    }

    /// Steps its time, at once.
    pub fn step(&self, step: Step) -> Result<()> {
        let new = self.file.with_extension("new");
        fs::write(&new, serde_json::to_vec(&step)?)?;
        Ok(fs::rename(new, &self.file)?)
    }
}
