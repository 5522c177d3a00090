//! The one place that reads clocks. Tests make a [`Clock`] that they set by hand.

use protocol::time::Stamp;
use std::sync::{Arc, Mutex};

/// Reads wall clock and monotonic clock.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<Mutex<Stamp>>),
}

impl Clock {
    /// The clocks of this computer.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until it is [`set`](Self::set).
    pub fn manual(stamp: Stamp) -> Self {
        Self(Source::Manual(Arc::new(Mutex::new(stamp))))
    }

    /// Sets a manual clock; a system clock stays as it is.
    pub fn set(&self, stamp: Stamp) {
        if let Source::Manual(shared) = &self.0 {
            *shared.lock().expect("nobody panics while holding it") = stamp;
        }
    }

    /// Now, by every clock.
    pub fn stamp(&self) -> Stamp {
        match &self.0 {
            Source::System => Stamp { boot: 0, mono_ms: 0, wall_ms: 0, synced: false },
            Source::Manual(shared) => *shared.lock().expect("nobody panics while holding it"),
        }
    }

    /// Milliseconds since the start of the computer.
    pub fn mono_ms(&self) -> u64 {
        self.stamp().mono_ms
    }
}
