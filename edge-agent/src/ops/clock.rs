//! The one place that reads clocks. Tests make a [`Clock`] that they set by hand.
//!
//! Behaviour hangs on the monotonic clock only. Wall time is data: it may be unset at boot, so it is believed
//! only once the operating system or the cloud vouches for it.

use protocol::time::{Stamp, wall_at};
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Reads wall clock and monotonic clock. Clones share what was learnt about the time.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    /// Wall minus monotonic time by the cloud, [`UNKNOWN`] until it told.
    cloud_offset_ms: AtomicI64,
    /// Wall minus monotonic time when the wall clock was last believed, [`UNKNOWN`] if it never was.
    trusted_offset_ms: AtomicI64,
    /// A moment that has certainly passed, kept on disk by the registry.
    floor_ms: AtomicI64,
}

#[derive(Debug)]
enum Source {
    System { boot: u64, synced: AtomicBool, look_again_ms: AtomicU64 },
    Manual(Mutex<Stamp>),
}

const UNKNOWN: i64 = i64::MIN;
/// How often the operating system is asked whether its clock is synchronised.
const LOOK_EVERY_MS: u64 = 2_000;
/// systemd-timesyncd makes this file when it first reached a time server.
const TIMESYNC_FLAG: &str = "/run/systemd/timesync/synchronized";
/// A cloud's answer that took longer says little about the time.
const MAX_ROUND_TRIP_MS: u64 = 10_000;

impl Clock {
    /// The clocks of this computer.
    pub fn system() -> Self {
        Self::new(Source::System {
            boot: boot_number(),
            synced: AtomicBool::new(false),
            look_again_ms: AtomicU64::new(0),
        })
    }

    /// A clock that stands still until it is [`set`](Self::set).
    pub fn manual(stamp: Stamp) -> Self {
        Self::new(Source::Manual(Mutex::new(stamp)))
    }

    fn new(source: Source) -> Self {
        Self(Arc::new(Inner {
            source,
            cloud_offset_ms: AtomicI64::new(UNKNOWN),
            trusted_offset_ms: AtomicI64::new(UNKNOWN),
            floor_ms: AtomicI64::new(0),
        }))
    }

    /// Sets a manual clock; a system clock stays as it is.
    pub fn set(&self, stamp: Stamp) {
        if let Source::Manual(shared) = &self.0.source {
            *shared.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
        }
    }

    /// Now, by every clock. Without a synchronised wall clock the cloud's time stands in for it.
    pub fn stamp(&self) -> Stamp {
        let mut stamp = self.0.source.read();
        let cloud = self.0.cloud_offset_ms.load(Relaxed);
        if !stamp.synced && cloud != UNKNOWN {
            stamp.wall_ms = wall_at(stamp.mono_ms, cloud);
            stamp.synced = true;
        }
        if stamp.synced {
            self.0.trusted_offset_ms.store(stamp.offset_ms(), Relaxed);
        }
        stamp
    }

    /// Milliseconds since the start of the computer, time asleep included.
    pub fn mono_ms(&self) -> u64 {
        match &self.0.source {
            Source::System { .. } => mono_ms(),
            Source::Manual(shared) => shared.lock().unwrap_or_else(PoisonError::into_inner).mono_ms,
        }
    }

    /// Unix milliseconds, as well as this computer knows.
    pub fn wall_ms(&self) -> i64 {
        self.stamp().wall_ms
    }

    /// Last believed time plus what has passed since, never before the floor. `None` if no time was ever
    /// believed since the computer started.
    pub fn trusted_ms(&self) -> Option<i64> {
        let stamp = self.stamp();
        let offset = self.0.trusted_offset_ms.load(Relaxed);
        (offset != UNKNOWN)
            .then(|| wall_at(stamp.mono_ms, offset).max(self.0.floor_ms.load(Relaxed)))
    }

    /// The latest of clock, floor and build date: what certificates are checked against.
    pub fn latest_ms(&self) -> i64 {
        self.wall_ms().max(self.0.floor_ms.load(Relaxed)).max(built_ms())
    }

    /// Unix milliseconds by the cloud's clock, once it told, else as well as this computer knows: what tokens
    /// are asked with.
    pub fn cloud_ms(&self) -> i64 {
        match self.0.cloud_offset_ms.load(Relaxed) {
            UNKNOWN => self.wall_ms(),
            offset => wall_at(self.mono_ms(), offset),
        }
    }

    /// Takes over the cloud's time out of an answer to a question that was asked at `asked_mono_ms`.
    pub fn learn_cloud_time(&self, now_ms: i64, asked_mono_ms: u64) {
        let answered = self.mono_ms();
        let round_trip = answered.saturating_sub(asked_mono_ms);
        let known = self.0.cloud_offset_ms.load(Relaxed) != UNKNOWN;
        if round_trip <= MAX_ROUND_TRIP_MS || !known {
            let middle = asked_mono_ms + round_trip / 2;
            self.0.cloud_offset_ms.store(now_ms.saturating_sub_unsigned(middle), Relaxed);
        }
    }

    /// Tells of a moment that has certainly passed.
    pub fn raise_floor(&self, floor_ms: i64) {
        self.0.floor_ms.fetch_max(floor_ms, Relaxed);
    }
}

impl Source {
    fn read(&self) -> Stamp {
        match self {
            Self::Manual(shared) => *shared.lock().unwrap_or_else(PoisonError::into_inner),
            Self::System { boot, synced, look_again_ms } => {
                let mono_ms = mono_ms();
                if mono_ms >= look_again_ms.load(Relaxed) {
                    look_again_ms.store(mono_ms + LOOK_EVERY_MS, Relaxed);
                    synced.store(Path::new(TIMESYNC_FLAG).exists(), Relaxed);
                }
                Stamp { boot: *boot, mono_ms, wall_ms: wall_ms(), synced: synced.load(Relaxed) }
            }
        }
    }
}

fn mono_ms() -> u64 {
    u64::try_from(milliseconds(ClockId::Boottime)).unwrap_or(0)
}

fn wall_ms() -> i64 {
    milliseconds(ClockId::Realtime)
}

fn milliseconds(clock: ClockId) -> i64 {
    let now = clock_gettime(clock);
    now.tv_sec.saturating_mul(1_000).saturating_add(now.tv_nsec / 1_000_000)
}

fn built_ms() -> i64 {
    env!("GYMWIRE_BUILT_S").parse::<i64>().unwrap_or(0).saturating_mul(1_000)
}

/// The kernel's id of this boot as a number; without one, every start of the agent counts as a boot.
fn boot_number() -> u64 {
    let id = std::fs::read("/proc/sys/kernel/random/boot_id")
        .unwrap_or_else(|_| uuid::Uuid::new_v4().as_bytes().to_vec());
    let digest = Sha256::digest(id.trim_ascii());
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_1970: Stamp = Stamp { boot: 1, mono_ms: 60_000, wall_ms: 60_000, synced: false };
    const NOVEMBER_2026: i64 = 1_795_000_000_000;

    #[test]
    fn the_system_clock_moves_on_and_knows_its_boot() {
        let clock = Clock::system();

        let (first, second) = (clock.stamp(), clock.stamp());

        assert!(second.mono_ms >= first.mono_ms);
        assert_eq!(first.boot, Clock::system().stamp().boot);
        assert_ne!(first.boot, 0);
    }

    #[test]
    fn the_cloud_stands_in_for_a_clock_in_1970() {
        let clock = Clock::manual(IN_1970);
        assert_eq!(clock.trusted_ms(), None);

        clock.learn_cloud_time(NOVEMBER_2026, 59_000);

        let stamp = clock.stamp();
        assert!(stamp.synced);
        assert_eq!(stamp.wall_ms, NOVEMBER_2026 + 500);
        assert_eq!(clock.trusted_ms(), Some(NOVEMBER_2026 + 500));
    }

    #[test]
    fn trusted_time_outlives_the_sync_and_a_jump_of_the_wall_clock() {
        let synced = Stamp { wall_ms: NOVEMBER_2026, synced: true, ..IN_1970 };
        let clock = Clock::manual(synced);
        clock.stamp();

        clock.set(Stamp { mono_ms: 61_000, wall_ms: 0, synced: false, ..synced });

        assert_eq!(clock.trusted_ms(), Some(NOVEMBER_2026 + 1_000));
    }

    #[test]
    fn certificates_are_never_checked_against_1970() {
        let clock = Clock::manual(IN_1970);
        assert!(clock.latest_ms() > 1_700_000_000_000);

        clock.raise_floor(NOVEMBER_2026 * 2);

        assert_eq!(clock.latest_ms(), NOVEMBER_2026 * 2);
    }
}
