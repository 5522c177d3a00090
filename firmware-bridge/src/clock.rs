//! The one place that reads clocks: time since the start of this computer, and which start that was.
//!
//! Ages are told by `CLOCK_BOOTTIME`, which survives a restart of the bridge and counts during suspend. No
//! wall clock: a computer without a battery may believe it is 1970.

use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// A moment that can be compared only with moments of the same start of the computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Boot id of the kernel.
    pub boot: Uuid,
    /// Milliseconds since that boot.
    pub at_ms: u64,
}

/// Reads the time since boot. Tests make one that they set by hand.
#[derive(Debug, Clone)]
pub struct Clock {
    boot: Uuid,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The clock of this computer.
    pub fn system() -> Self {
        Self { boot: kernel_boot_id(), source: Source::System }
    }

    /// A clock that stands still until it is [`set`](Self::set).
    pub fn manual(boot: Uuid, at_ms: u64) -> Self {
        Self { boot, source: Source::Manual(Arc::new(AtomicU64::new(at_ms))) }
    }

    /// Sets a manual clock; the system clock stays as it is.
    pub fn set(&self, at_ms: u64) {
        if let Source::Manual(now) = &self.source {
            now.store(at_ms, Ordering::Relaxed);
        }
    }

    /// Now.
    pub fn now(&self) -> Moment {
        let at_ms = match &self.source {
            Source::Manual(now) => now.load(Ordering::Relaxed),
            Source::System => {
                let since_boot = clock_gettime(ClockId::Boottime);
                let seconds = u64::try_from(since_boot.tv_sec).unwrap_or(0);
                let nanos = u64::try_from(since_boot.tv_nsec).unwrap_or(0);
                seconds * 1000 + nanos / 1_000_000
            }
        };
        Moment { boot: self.boot, at_ms }
    }

    /// The moment that was so long ago, e.g. when the last byte of a code came.
    pub fn ago(&self, age: Duration) -> Moment {
        let Moment { boot, at_ms } = self.now();
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        Moment { boot, at_ms: at_ms.saturating_sub(age_ms) }
    }

    /// How old a moment is. Of another boot nothing is known, and `u32::MAX` can never pass as fresh.
    pub fn age_ms(&self, moment: Moment) -> u32 {
        let now = self.now();
        if moment.boot != now.boot {
            return u32::MAX;
        }
        now.at_ms
            .checked_sub(moment.at_ms)
            .and_then(|age| u32::try_from(age).ok())
            .unwrap_or(u32::MAX)
    }
}

/// Without the kernel's id every start of the bridge counts as a boot: ages are then unknown, never wrong.
fn kernel_boot_id() -> Uuid {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or_else(Uuid::new_v4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_grows_with_the_clock() {
        let clock = Clock::manual(Uuid::from_u128(1), 1_000);
        let moment = clock.now();

        clock.set(4_500);

        assert_eq!(clock.age_ms(moment), 3_500);
    }

    #[test]
    fn a_moment_of_another_boot_is_never_fresh() {
        let before = Clock::manual(Uuid::from_u128(1), 1_000).now();

        assert_eq!(Clock::manual(Uuid::from_u128(2), 1_001).age_ms(before), u32::MAX);
    }

    #[test]
    fn a_moment_of_the_future_is_never_fresh() {
        let later = Moment { boot: Uuid::from_u128(1), at_ms: 2_000 };

        assert_eq!(Clock::manual(Uuid::from_u128(1), 1_000).age_ms(later), u32::MAX);
    }

    #[test]
    fn the_system_clock_runs_and_knows_its_boot() {
        let clock = Clock::system();

        assert_eq!(clock.now().boot, Clock::system().now().boot);
        assert!(clock.now().at_ms > 0);
        assert!(clock.age_ms(clock.now()) < 60_000);
    }
}
