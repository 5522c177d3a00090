//! A chunk: packed samples of one machine, and when they were taken.

use super::LOOK_BACK_MS;
use crate::clock::at_ms;
use crate::ids::DeviceId;
use protocol::machine::columns::{self, ColumnsError, TimedSample};
use protocol::sync::batch::MachineTelemetry;
use protocol::time::Stamp;
use std::collections::BTreeSet;
use time::OffsetDateTime;

/// What is stored, without where it came from.
#[derive(Debug)]
pub struct Chunk {
    /// Place in its batch.
    pub ordinal: i32,
    pub machine: DeviceId,
    pub boot: u64,
    pub offset_ms: i64,
    /// Whether the edge's clock was synced, then or later.
    pub is_dated: bool,
    pub from: OffsetDateTime,
    pub to: OffsetDateTime,
    pub count: i32,
    /// The latest monotonic time at which one of them was taken.
    pub last_mono_ms: u64,
    /// Hours whose roll-ups depend on it.
    pub hours: BTreeSet<OffsetDateTime>,
    pub columns: Vec<u8>,
}

/// Why samples cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error(transparent)]
    Malformed(#[from] ColumnsError),
    #[error("its samples are spread over more than {MAX_HOURS} hours")]
    Implausible,
}

/// Samples are believed to be up to a week older than their delivery to the edge.
const MAX_HOURS: usize = 24 * 9;
const HOUR_MS: i64 = 3_600_000;

impl Chunk {
    /// Checks every sample, and dates them by the clock they came with. Gives the delivery back if it cannot
    /// be used.
    pub fn new(
        ordinal: i32,
        delivery: MachineTelemetry,
    ) -> Result<Self, (Unusable, MachineTelemetry)> {
        let mut chunk = Self {
            ordinal,
            machine: delivery.machine.into(),
            boot: delivery.clock.boot,
            offset_ms: delivery.clock.offset_ms(),
            is_dated: delivery.clock.synced,
            from: OffsetDateTime::UNIX_EPOCH,
            to: OffsetDateTime::UNIX_EPOCH,
            count: 0,
            last_mono_ms: 0,
            hours: BTreeSet::new(),
            columns: delivery.columns,
        };
        match chunk.date(chunk.offset_ms) {
            Ok(()) => Ok(chunk),
            Err(error) => Err((error, MachineTelemetry { columns: chunk.columns, ..delivery })),
        }
    }

    /// Dates the samples by what to add to their monotonic times.
    pub fn date(&mut self, offset_ms: i64) -> Result<(), Unusable> {
        let samples = columns::decode(&self.columns)?;
        self.offset_ms = offset_ms;
        self.count = i32::try_from(samples.len()).unwrap_or(i32::MAX);
        // A day has two dozen of them, and as many samples as seconds: what is costly is done for each hour only.
        let mut hours = BTreeSet::new();
        self.last_mono_ms = samples.iter().map(|timed| timed.mono_ms).max().unwrap_or(0);
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        for timed in &samples {
            let taken_ms = taken_ms(timed, offset_ms);
            (first, last) = (first.min(taken_ms), last.max(taken_ms));
            mark(&mut hours, taken_ms);
            if hours.len() > MAX_HOURS {
                return Err(Unusable::Implausible);
            }
        }
        let begin = |hour: i64| at_ms(hour.saturating_mul(HOUR_MS));
        self.hours = hours.into_iter().map(begin).collect();
        (self.from, self.to) = (at_ms(first), at_ms(last));
        Ok(())
    }
}

/// Its hour, counted from 1970, and the next one if that looks back at it.
fn mark(hours: &mut BTreeSet<i64>, taken_ms: i64) {
    let hour = taken_ms.div_euclid(HOUR_MS);
    hours.insert(hour);
    if taken_ms.rem_euclid(HOUR_MS) >= HOUR_MS - LOOK_BACK_MS {
        hours.insert(hour.saturating_add(1));
    }
}

/// Unix milliseconds at which a sample was taken, given what to add to monotonic times.
pub fn taken_ms(timed: &TimedSample, offset_ms: i64) -> i64 {
    let clock = Stamp { boot: 0, mono_ms: 0, wall_ms: offset_ms, synced: true };
    timed.sample.taken_ms(timed.mono_ms, &clock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::machine::Sample;

    fn delivery(monos_ms: &[u64], wall_ms: i64) -> MachineTelemetry {
        let timed = |&mono_ms: &u64| TimedSample { source: 0, mono_ms, sample: Sample::default() };
        let samples: Vec<_> = monos_ms.iter().map(timed).collect();
        MachineTelemetry {
            machine: DeviceId::new().into(),
            clock: Stamp { boot: 1, mono_ms: 0, wall_ms, synced: true },
            columns: columns::encode(&samples),
        }
    }

    #[test]
    fn a_chunk_concerns_every_hour_it_touches_and_the_one_that_looks_back() {
        let hour = u64::try_from(HOUR_MS).unwrap();

        let chunk = Chunk::new(0, delivery(&[0, hour, 2 * hour - 1], 0)).unwrap();

        let hours: Vec<_> = [0, HOUR_MS, 2 * HOUR_MS].map(at_ms).into();
        assert_eq!(chunk.hours.into_iter().collect::<Vec<_>>(), hours);
        assert_eq!((chunk.from, chunk.to, chunk.count), (at_ms(0), at_ms(2 * HOUR_MS - 1), 3));
    }

    #[test]
    fn samples_from_all_over_the_calendar_are_refused() {
        let spread: Vec<_> = (0..300).map(|hour| hour * 3_600_000).collect();

        let (error, _) = Chunk::new(0, delivery(&spread, 0)).unwrap_err();

        assert!(matches!(error, Unusable::Implausible));
    }

    #[test]
    fn absurd_clocks_do_not_panic() {
        for wall_ms in [i64::MIN, i64::MAX] {
            assert!(Chunk::new(0, delivery(&[u64::MAX], wall_ms)).is_ok());
        }
    }
}
