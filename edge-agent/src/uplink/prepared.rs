//! A batch as it goes over the wire, and how large the next one may be.

use crate::journal::BatchLimits;
use bytes::Bytes;
use protocol::sync::batch::{Batch, MAX_BATCH_COMPRESSED};
use protocol::sync::state::Position;
use std::time::Duration;

/// A packed batch.
#[derive(Debug)]
pub(super) struct Prepared {
    pub epoch: u64,
    pub first_seq: u64,
    pub last_seq: u64,
    pub body: Bytes,
}

/// Fast while there is much to send; small when it is little, since then time is not short.
const BACKLOG_LEVEL: i32 = 3;
const LIVE_LEVEL: i32 = 9;

impl Prepared {
    pub(super) fn new(batch: &Batch, is_backlog: bool) -> Self {
        let body = batch.encode(if is_backlog { BACKLOG_LEVEL } else { LIVE_LEVEL });
        Self {
            epoch: batch.epoch,
            first_seq: batch.first_seq,
            last_seq: batch.last_seq,
            body: body.into(),
        }
    }

    pub(super) fn end(&self) -> Position {
        Position { epoch: self.epoch, seq: self.last_seq }
    }
}

/// How large batches are: as large as fits in a few seconds of this line.
#[derive(Debug)]
pub(super) struct Sizing {
    samples: u64,
    bytes_per_s: Option<f64>,
}

/// Samples while unpacked take about 120 bytes, and two batches are in memory at a time, several times over.
const MAX_SAMPLES: u64 = 32_768;
const MIN_SAMPLES: u64 = 250;
const FIRST_SAMPLES: u64 = 8_192;
/// A batch should take about this long: long enough that its overhead does not count, short enough that a cut
/// line loses little.
const AIM: Duration = Duration::from_secs(2);
const MIN_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_TIMEOUT: Duration = Duration::from_mins(3);

impl Default for Sizing {
    fn default() -> Self {
        Self { samples: FIRST_SAMPLES, bytes_per_s: None }
    }
}

impl Sizing {
    pub(super) fn limits(&self) -> BatchLimits {
        // Events and samples take their share of the same size; both together stay far below 16 MiB.
        let event_bytes = usize::try_from(self.samples).unwrap_or(usize::MAX).saturating_mul(40);
        BatchLimits { samples: self.samples, event_bytes, entries: self.samples.max(1_000) }
    }

    /// For an answer to the next batch: generous against what the line did lately.
    pub(super) fn timeout(&self) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let bytes = MAX_BATCH_COMPRESSED as f64;
        let slowest = self.bytes_per_s.map_or(MIN_TIMEOUT * 3, |speed| {
            Duration::try_from_secs_f64(bytes / speed).unwrap_or(MAX_TIMEOUT)
        });
        slowest.clamp(MIN_TIMEOUT, MAX_TIMEOUT)
    }

    pub(super) fn went_well(&mut self, batch: &Prepared, took: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let speed = batch.body.len() as f64 / took.as_secs_f64().max(0.001);
        self.bytes_per_s =
            Some(self.bytes_per_s.map_or(speed, |former| former.mul_add(0.7, speed * 0.3)));
        if took < AIM / 2 {
            self.samples = (self.samples * 2).min(MAX_SAMPLES);
        } else if took > AIM * 2 {
            self.halve();
        }
    }

    pub(super) fn went_badly(&mut self) {
        self.halve();
    }

    /// Says whether it could.
    pub(super) fn halve(&mut self) -> bool {
        let halved = (self.samples / 2).max(MIN_SAMPLES);
        std::mem::replace(&mut self.samples, halved) > halved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Prepared {
        let empty = Batch {
            epoch: 1,
            first_seq: 1,
            last_seq: 1,
            telemetry: Vec::new(),
            events: Vec::new(),
        };
        Prepared::new(&empty, false)
    }

    #[test]
    fn batches_grow_on_a_fast_line_and_shrink_on_a_slow_one() {
        let mut sizing = Sizing::default();

        for _ in 0..10 {
            sizing.went_well(&batch(), Duration::from_millis(100));
        }
        let grown = sizing.limits().samples;
        for _ in 0..20 {
            sizing.went_well(&batch(), Duration::from_secs(20));
        }

        assert_eq!(grown, MAX_SAMPLES);
        assert_eq!(sizing.limits().samples, MIN_SAMPLES);
        assert!(!sizing.halve());
    }

    #[test]
    fn waiting_for_an_answer_has_an_end_on_every_line() {
        let mut sizing = Sizing::default();

        sizing.went_well(&batch(), Duration::from_hours(1));

        assert_eq!(sizing.timeout(), MAX_TIMEOUT);
    }
}
