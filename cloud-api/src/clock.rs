//! What time it is. The only place that asks the system, so that tests can say.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use time::OffsetDateTime;

/// The time of day; cheap to clone, clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Microseconds added to the system's time.
    shift_us: Arc<AtomicI64>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// Now, in the resolution that Postgres keeps.
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that others take")]
    pub fn now(&self) -> OffsetDateTime {
        let now = OffsetDateTime::now_utc()
            + time::Duration::microseconds(self.shift_us.load(Ordering::Relaxed));
        now.replace_nanosecond(now.microsecond() * 1_000).unwrap_or(now)
    }

    /// Unix milliseconds now.
    pub fn now_ms(&self) -> i64 {
        unix_ms(self.now())
    }

    /// Moves this clock and all its clones.
    pub fn advance(&self, by: time::Duration) {
        let by_us = i64::try_from(by.whole_microseconds()).unwrap_or(i64::MAX);
        self.shift_us.fetch_add(by_us, Ordering::Relaxed);
    }
}

/// The Unix milliseconds of a moment.
pub fn unix_ms(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// The moment of some Unix milliseconds. What an edge's clock cannot have meant ends at the years 1 and 9999,
/// which Postgres and RFC 3339 both know.
pub fn at_ms(unix_ms: i64) -> OffsetDateTime {
    let unix_ms = unix_ms.clamp(EARLIEST_MS, LATEST_MS);
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

const EARLIEST_MS: i64 = -62_135_596_800_000;
const LATEST_MS: i64 = 253_402_300_799_999;
