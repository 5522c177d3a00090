//! A batch: consecutive journal entries on their way to the cloud (`POST /edge/v1/batches`).

use super::entry::bytes;
use super::wire::{self, WireError};
use crate::ids::DeviceId;
use crate::machine::columns;
use crate::time::Stamp;
use serde::{Deserialize, Serialize};

/// Media type of a batch.
pub const BATCH_MEDIA_TYPE: &str = "application/vnd.gymwire.batch";
/// The newest version of [`Batch`]'s encoding; the cloud also takes the one before it.
pub const BATCH_VERSION: u8 = 1;
/// A compressed batch is at most this long.
pub const MAX_BATCH_COMPRESSED: usize = 4 * 1024 * 1024;
/// An inflated batch is at most this long.
pub const MAX_BATCH_INFLATED: usize = 16 * 1024 * 1024;

/// A batch has at most this many events: more than an edge ever sends at once, and so few that a batch of
/// empty ones does not fill the memory.
pub const MAX_BATCH_EVENTS: usize = 1 << 17;
/// A batch has at most this many blocks of samples.
pub const MAX_BATCH_BLOCKS: usize = 1 << 16;
/// The blocks of a batch have at most this many samples together, many times what an edge sends at once. A
/// block of equal samples takes a few bytes, so the length of a batch does not bound the work it makes.
pub const MAX_BATCH_SAMPLES: usize = 1_000_000;

/// So many events of an epoch may have gone ahead of their batches.
pub const MAX_EVENTS_AHEAD: usize = 4_096;

/// Journal entries `first_seq..=last_seq` of one epoch; applied whole or not at all.
///
/// What cannot wait for the samples around it goes ahead of its batch (`POST /edge/v1/events`): a batch without
/// telemetry, with those events of the range that are urgent. The batch of the range has them all again; the cloud
/// knows which of them it has applied.
///
/// A position that is neither in `events` nor covered by telemetry of that range is covered by a
/// [`super::entry::Gap`] in `events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Random number of the opening of the journal that the entries were written in.
    pub epoch: u64,
    /// Position of the first entry; the first in an epoch is 1.
    pub first_seq: u64,
    /// Position of the last entry, inclusive.
    pub last_seq: u64,
    /// All samples of the range, per machine and clock reading.
    #[serde(deserialize_with = "wire::at_most::<MAX_BATCH_BLOCKS, _, _>")]
    pub telemetry: Vec<MachineTelemetry>,
    /// All other entries, in order.
    #[serde(deserialize_with = "wire::at_most::<MAX_BATCH_EVENTS, _, _>")]
    pub events: Vec<BatchEvent>,
}

/// Samples of one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MachineTelemetry {
    /// Which machine.
    pub machine: DeviceId,
    /// How the monotonic times inside relate to the wall clock.
    pub clock: Stamp,
    /// Packed samples, see [`crate::machine::columns`].
    #[serde(with = "bytes")]
    pub columns: Vec<u8>,
}

/// One entry that is not telemetry. Its event stays packed here, so that one that cannot be read does not
/// hide the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchEvent {
    /// Its position.
    pub seq: u64,
    /// [`super::entry::Event::encode`].
    #[serde(with = "bytes")]
    pub event: Vec<u8>,
}

impl Batch {
    /// `version || postcard`, compressed.
    pub fn encode(&self, level: i32) -> Vec<u8> {
        wire::deflate(&wire::encode(BATCH_VERSION, self), level)
    }

    /// The inverse of [`Batch::encode`], within the limits of a batch.
    pub fn decode(compressed: &[u8]) -> Result<Self, WireError> {
        if compressed.len() > MAX_BATCH_COMPRESSED {
            return Err(WireError::TooLarge { limit: MAX_BATCH_COMPRESSED });
        }
        let batch: Self =
            wire::decode(BATCH_VERSION, &wire::inflate(compressed, MAX_BATCH_INFLATED)?)?;
        if batch.first_seq == 0 || batch.last_seq < batch.first_seq {
            return Err(WireError::Malformed("first_seq and last_seq are no range".to_owned()));
        }
        batch.check_samples()?;
        Ok(batch)
    }

    /// Blocks that cannot be read do not count: who uses them finds out.
    fn check_samples(&self) -> Result<(), WireError> {
        let counts = self.telemetry.iter().map(|block| columns::claimed_count(&block.columns));
        if counts.filter_map(Result::ok).sum::<usize>() > MAX_BATCH_SAMPLES {
            return Err(WireError::TooMany { limit: MAX_BATCH_SAMPLES });
        }
        Ok(())
    }
}

/// The cloud's answer to a batch it has, or already had (JSON).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAnswer {
    /// Everything up to here is in the cloud's database.
    pub acked_seq: u64,
}

/// Extra members of the problem that answers a batch which does not follow (409 `out_of_order`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfOrder {
    /// The `first_seq` that would be taken.
    pub expected_seq: u64,
}

/// Extra members of the problem that answers a version which the cloud does not read (415).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupportedVersions {
    /// Version bytes the cloud reads.
    pub supported: Vec<u8>,
}
