//! The one place that reads clocks. Tests make a [`Clock`] that they set by hand.
//!
//! Behaviour hangs on the monotonic clock only. Wall time is data: it may be unset at boot, so it is believed
//! only once the operating system or the cloud vouches for it. Where they contradict each other the cloud is believed:
//! the system says "synchronised" ever after its first sync, even if somebody sets its clock by hand.

#[cfg(feature = "test-clock")]
mod steps;

use protocol::time::{Stamp, TrustedTime, wall_at};
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Reads wall clock and monotonic clock. Clones share what was learnt about the time.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

/// What the cloud told of the time of a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloudTime {
    /// The number of the boot.
    pub boot: u64,
    /// Wall minus monotonic time.
    pub offset_ms: i64,
    /// Monotonic time when it told.
    pub told_ms: u64,
}

#[derive(Debug)]
struct Inner {
    source: Source,
    /// Wall minus monotonic time by the cloud, [`UNKNOWN`] until it told.
    cloud_offset_ms: AtomicI64,
    /// Monotonic time when it told.
    cloud_told_ms: AtomicU64,
    /// The cloud has just told.
    cloud_told: Notify,
    /// Wall minus monotonic time when the wall clock was last believed, [`UNKNOWN`] if it never was.
    trusted_offset_ms: AtomicI64,
    /// A moment that has certainly passed, kept on disk by the registry.
    floor_ms: AtomicI64,
}

#[derive(Debug)]
enum Source {
    System {
        boot: u64,
        synced: AtomicBool,
        look_again_ms: AtomicU64,
        #[cfg(feature = "test-clock")]
        steps: steps::Steps,
    },
    Manual(Mutex<Stamp>),
}

const UNKNOWN: i64 = i64::MIN;
/// How often the operating system is asked whether its clock is synchronised.
const LOOK_EVERY_MS: u64 = 2_000;
/// systemd-timesyncd makes this file when it first reached a time server.
const TIMESYNC_FLAG: &str = "/run/systemd/timesync/synchronized";
/// So far the cloud and a synchronised clock may be apart before the clock is not believed any more,
const BELIEVED_MS: u64 = 60_000;
/// and by one in so many of the time since the cloud told: more than any quartz drifts.
const DRIFT: u64 = 1_000;
/// A cloud's answer that took longer says little about the time.
const MAX_ROUND_TRIP_MS: u64 = 10_000;

impl Clock {
    /// The clocks of this computer.
    pub fn system() -> Self {
        Self::new(Source::System {
            boot: boot_number(),
            synced: AtomicBool::new(false),
            look_again_ms: AtomicU64::new(0),
            #[cfg(feature = "test-clock")]
            steps: steps::Steps::from_environment(),
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
            cloud_told_ms: AtomicU64::new(0),
            cloud_told: Notify::new(),
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
        if cloud != UNKNOWN && !(stamp.synced && self.0.is_near_cloud(&stamp, cloud)) {
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
            #[cfg(not(feature = "test-clock"))]
            Source::System { .. } => mono_ms(),
            source => source.read().mono_ms,
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

    /// The time to decide by, and how far it can be trusted.
    pub fn trusted(&self) -> TrustedTime {
        let floor_ms = self.0.floor_ms.load(Relaxed);
        match (self.trusted_ms(), self.stamp().synced) {
            (Some(now_ms), true) => TrustedTime::Synced(now_ms),
            (Some(now_ms), false) => TrustedTime::Carried(now_ms),
            (None, _) => TrustedTime::NotBefore(floor_ms),
        }
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

    /// How long ago something was that carries the cloud's time; 0 while that is not known.
    pub fn cloud_age_ms(&self, made_ms: i64) -> u64 {
        let known = self.0.cloud_offset_ms.load(Relaxed) != UNKNOWN;
        let age_ms = self.cloud_ms().saturating_sub(made_ms);
        if known { u64::try_from(age_ms).unwrap_or(0) } else { 0 }
    }

    /// Takes over the cloud's time out of an answer to a question that was asked at `asked_mono_ms`.
    pub fn learn_cloud_time(&self, now_ms: i64, asked_mono_ms: u64) {
        let answered = self.mono_ms();
        let round_trip = answered.saturating_sub(asked_mono_ms);
        let known = self.0.cloud_offset_ms.load(Relaxed) != UNKNOWN;
        if round_trip <= MAX_ROUND_TRIP_MS || !known {
            let middle = asked_mono_ms + round_trip / 2;
            self.0.cloud_offset_ms.store(now_ms.saturating_sub_unsigned(middle), Relaxed);
            self.0.cloud_told_ms.store(answered, Relaxed);
            // A clock that was set ahead by hand may have raised it.
            let latest = now_ms.saturating_add_unsigned(BELIEVED_MS);
            self.0.floor_ms.fetch_min(latest, Relaxed);
            self.0.cloud_told.notify_one();
        }
    }

    /// Until the cloud has told the time; for one who keeps it.
    pub async fn cloud_told(&self) {
        self.0.cloud_told.notified().await;
    }

    /// What the cloud told of the time, or an earlier start of the agent knew.
    pub fn cloud_time(&self) -> Option<CloudTime> {
        let offset_ms = self.0.cloud_offset_ms.load(Relaxed);
        let told_ms = self.0.cloud_told_ms.load(Relaxed);
        let boot = self.0.source.read().boot;
        (offset_ms != UNKNOWN).then_some(CloudTime { boot, offset_ms, told_ms })
    }

    /// Takes over what an earlier start of the agent knew, if the computer was not started since.
    pub fn recall_cloud_time(&self, told: CloudTime) {
        let now = self.0.source.read();
        if now.boot == told.boot && told.told_ms <= now.mono_ms {
            self.0.cloud_told_ms.store(told.told_ms, Relaxed);
            self.0.cloud_offset_ms.store(told.offset_ms, Relaxed);
        }
    }

    /// Tells of a moment that has certainly passed.
    pub fn raise_floor(&self, floor_ms: i64) {
        self.0.floor_ms.fetch_max(floor_ms, Relaxed);
    }
}

impl Inner {
    fn is_near_cloud(&self, stamp: &Stamp, cloud_offset_ms: i64) -> bool {
        let since_ms = stamp.mono_ms.saturating_sub(self.cloud_told_ms.load(Relaxed));
        stamp.offset_ms().abs_diff(cloud_offset_ms) <= BELIEVED_MS + since_ms / DRIFT
    }
}

impl Source {
    fn read(&self) -> Stamp {
        match self {
            Self::Manual(shared) => *shared.lock().unwrap_or_else(PoisonError::into_inner),
            Self::System {
                boot,
                synced,
                look_again_ms,
                #[cfg(feature = "test-clock")]
                steps,
            } => {
                let mono_ms = mono_ms();
                if mono_ms >= look_again_ms.load(Relaxed) {
                    look_again_ms.store(mono_ms + LOOK_EVERY_MS, Relaxed);
                    synced.store(Path::new(TIMESYNC_FLAG).exists(), Relaxed);
                }
                let synced = synced.load(Relaxed);
                let stamp = Stamp { boot: *boot, mono_ms, wall_ms: wall_ms(), synced };
                #[cfg(feature = "test-clock")]
                let stamp = steps.apply(stamp);
                stamp
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
    fn a_clock_that_is_set_by_hand_does_not_outdo_the_cloud() {
        let synced = Stamp { wall_ms: NOVEMBER_2026, synced: true, ..IN_1970 };
        let clock = Clock::manual(synced);
        clock.learn_cloud_time(NOVEMBER_2026 + 300, synced.mono_ms);
        assert_eq!(clock.wall_ms(), NOVEMBER_2026, "as good as the cloud's");

        clock.set(Stamp { wall_ms: NOVEMBER_2026 + 86_400_000, ..synced });

        assert_eq!(clock.wall_ms(), NOVEMBER_2026 + 300);
        assert_eq!(clock.trusted_ms(), Some(NOVEMBER_2026 + 300));
    }

    #[test]
    fn a_month_after_the_cloud_told_a_synchronised_clock_is_right_about_the_drift() {
        let synced = Stamp { wall_ms: NOVEMBER_2026, synced: true, ..IN_1970 };
        let clock = Clock::manual(synced);
        clock.learn_cloud_time(NOVEMBER_2026, synced.mono_ms);
        let month_ms = 30 * 86_400_000;

        let wall_ms = NOVEMBER_2026 + month_ms + 300_000;
        clock.set(Stamp { wall_ms, mono_ms: synced.mono_ms + month_ms.cast_unsigned(), ..synced });

        assert_eq!(clock.wall_ms(), wall_ms);
    }

    #[test]
    fn a_restart_of_the_agent_forgets_no_time_and_one_of_the_computer_does() {
        let clock = Clock::manual(IN_1970);
        clock.learn_cloud_time(NOVEMBER_2026, IN_1970.mono_ms);
        let told = clock.cloud_time().unwrap();
        let later = Stamp { mono_ms: IN_1970.mono_ms + 5_000, ..IN_1970 };
        let (same_boot, other_boot) =
            (Clock::manual(later), Clock::manual(Stamp { boot: 2, ..later }));

        same_boot.recall_cloud_time(told);
        other_boot.recall_cloud_time(told);

        assert_eq!(same_boot.trusted_ms(), Some(NOVEMBER_2026 + 5_000));
        assert_eq!(other_boot.trusted_ms(), None);
    }

    #[test]
    fn the_cloud_lowers_a_floor_that_was_raised_too_far() {
        let clock = Clock::manual(IN_1970);
        clock.raise_floor(NOVEMBER_2026 + 86_400_000);

        clock.learn_cloud_time(NOVEMBER_2026, IN_1970.mono_ms);

        assert!(clock.trusted_ms().unwrap() <= NOVEMBER_2026 + 60_000);
    }

    #[test]
    fn certificates_are_never_checked_against_1970() {
        let clock = Clock::manual(IN_1970);
        assert!(clock.latest_ms() > 1_700_000_000_000);

        clock.raise_floor(NOVEMBER_2026 * 2);

        assert_eq!(clock.latest_ms(), NOVEMBER_2026 * 2);
    }
}
