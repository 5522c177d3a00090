//! Only with the feature `test-clock`, which no gym ever runs: a running agent believes what a file says of the time.
//!
//! `GYMWIRE_TEST_CLOCK` names the file, e.g. `{"wall_ms": -86400000}`; it is read at every look at the clock, so
//! whoever replaces it by renaming steps the time at once. With `"stands": true` the clocks do not move by themselves:
//! they show what the file says. Timers of the runtime go on as they are.

use protocol::time::Stamp;
use serde::Deserialize;
use std::path::{Path, PathBuf};

const VARIABLE: &str = "GYMWIRE_TEST_CLOCK";

/// Where the steps are read from.
#[derive(Debug)]
pub struct Steps(Option<PathBuf>);

/// What the file says; without a key the computer's own is taken.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Step {
    /// The clocks stand, and the next two are what they show.
    stands: bool,
    /// Added to the wall clock.
    wall_ms: i64,
    /// Added to the monotonic clock.
    mono_ms: i64,
    /// Whether the operating system vouches for its clock.
    synced: Option<bool>,
    /// The number of the boot.
    boot: Option<u64>,
}

impl Steps {
    /// As the environment says; without the variable nothing is stepped.
    pub fn from_environment() -> Self {
        let file = std::env::var_os(VARIABLE).map(PathBuf::from);
        if let Some(file) = &file {
            tracing::warn!(file = %file.display(), "a test steps the time of this agent");
        }
        Self(file)
    }

    /// The time after the step.
    pub fn apply(&self, stamp: Stamp) -> Stamp {
        self.0.as_deref().map_or(stamp, |file| Step::read(file).apply(stamp))
    }
}

impl Step {
    fn read(file: &Path) -> Self {
        match std::fs::read(file) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::error!(%error, "the file of {VARIABLE} is unusable");
                Self::default()
            }),
            Err(_) => Self::default(),
        }
    }

    fn apply(&self, stamp: Stamp) -> Stamp {
        let (mono_ms, wall_ms) = if self.stands { (0, 0) } else { (stamp.mono_ms, stamp.wall_ms) };
        Stamp {
            boot: self.boot.unwrap_or(stamp.boot),
            mono_ms: mono_ms.saturating_add_signed(self.mono_ms),
            wall_ms: wall_ms.saturating_add(self.wall_ms),
            synced: self.synced.unwrap_or(stamp.synced),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Stamp = Stamp { boot: 1, mono_ms: 5_000, wall_ms: 9_000, synced: false };

    fn stepped(text: &str) -> Stamp {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Steps(Some(file.path().to_owned())).apply(NOW)
    }

    #[test]
    fn what_the_file_names_is_stepped_and_nothing_else() {
        let back = stepped(r#"{"wall_ms": -9000, "mono_ms": -4000}"#);
        let other = stepped(r#"{"synced": true, "boot": 2}"#);

        assert_eq!(back, Stamp { mono_ms: 1_000, wall_ms: 0, ..NOW });
        assert_eq!(other, Stamp { boot: 2, synced: true, ..NOW });
    }

    #[test]
    fn a_clock_that_stands_shows_what_the_file_says() {
        let stands = stepped(r#"{"stands": true, "wall_ms": 300, "mono_ms": 60}"#);

        assert_eq!(stands, Stamp { mono_ms: 60, wall_ms: 300, ..NOW });
    }

    #[test]
    fn without_a_file_or_with_nonsense_the_time_is_the_computers() {
        assert_eq!(Steps(None).apply(NOW), NOW);
        assert_eq!(Steps(Some("/no/such/file".into())).apply(NOW), NOW);
        assert_eq!(stepped("{"), NOW);
    }
}
