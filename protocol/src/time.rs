//! Time as an edge knows it: wall clock, monotonic clock, boot, and whether the wall clock was synced.

use serde::{Deserialize, Serialize};

/// When something happened, by every clock the edge has.
///
/// Within one `boot`, `mono_ms` orders events; `wall_ms` is what the wall clock said and is only to be
/// believed when `synced`. The cloud corrects late: once any stamp of the boot is synced,
/// `wall_ms - mono_ms` of that stamp dates all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Random number of this start of the edge's operating system.
    pub boot: u64,
    /// Milliseconds since that start, never steps.
    pub mono_ms: u64,
    /// Unix milliseconds by the wall clock.
    pub wall_ms: i64,
    /// Whether the wall clock was synchronised (NTP, or the cloud's time) at that moment.
    pub synced: bool,
}

/// What an edge knows of the time at which it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustedTime {
    /// Unix milliseconds of a clock that is synchronised now.
    Synced(i64),
    /// Unix milliseconds: the last synchronised time and what has passed since by the monotonic clock.
    Carried(i64),
    /// Nobody knows, but these Unix milliseconds have certainly passed.
    NotBefore(i64),
}

impl TrustedTime {
    /// Unix milliseconds, if anybody knows them.
    pub fn unix_ms(self) -> Option<i64> {
        match self {
            Self::Synced(unix_ms) | Self::Carried(unix_ms) => Some(unix_ms),
            Self::NotBefore(_) => None,
        }
    }

    /// Unix milliseconds that have certainly passed.
    pub fn floor_ms(self) -> i64 {
        let (Self::Synced(floor_ms) | Self::Carried(floor_ms) | Self::NotBefore(floor_ms)) = self;
        floor_ms
    }
}

impl Stamp {
    /// What to add to a monotonic time of the same boot to get Unix milliseconds.
    pub fn offset_ms(&self) -> i64 {
        self.wall_ms.saturating_sub_unsigned(self.mono_ms)
    }
}

/// Unix milliseconds of a monotonic time, given what to add to it (see [`Stamp::offset_ms`]).
pub fn wall_at(mono_ms: u64, offset_ms: i64) -> i64 {
    offset_ms.saturating_add_unsigned(mono_ms)
}
