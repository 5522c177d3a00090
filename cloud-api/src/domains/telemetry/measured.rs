//! Samples of a machine between two moments, out of its chunks; without heart rates that were erased.

use super::chunk::taken_ms;
use super::rollup::{Taken, in_order};
use super::{erasure, store};
use crate::ids::DeviceId;
use anyhow::{Context, Result};
use protocol::machine::columns;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

/// What a machine measured.
#[derive(Debug)]
pub struct Measured {
    /// In order, none twice.
    pub samples: Vec<Taken>,
    /// Some of it came more than a week after it was measured.
    pub is_late: bool,
}

/// Data that comes later than this is late.
pub const LATE: Duration = Duration::days(7);

/// Everything from a moment until before another.
pub async fn measured(
    db: &mut PgConnection,
    machine: DeviceId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> Result<Measured> {
    let chunks = store::chunks_between(db, machine, from, to).await?;
    if chunks.is_empty() {
        return Ok(Measured { samples: Vec::new(), is_late: false });
    }
    let erased = erasure::spans(db, machine, from, to).await?;
    let is_late = chunks.iter().any(|chunk| chunk.received_at - chunk.to_at > LATE);
    let wanted = ms(from)..ms(to);
    let decoded = tokio::task::spawn_blocking(move || {
        let mut samples = Vec::new();
        for chunk in &chunks {
            for timed in columns::decode(&chunk.columns)? {
                let at_ms = taken_ms(&timed, chunk.offset_ms);
                if wanted.contains(&at_ms) {
                    samples.push(Taken { at_ms, sample: timed.sample });
                }
            }
        }
        in_order(&mut samples);
        erasure::erase(&mut samples, &erased);
        Ok::<_, columns::ColumnsError>(samples)
    });
    let samples = decoded.await?.context("a stored chunk is damaged")?;
    Ok(Measured { samples, is_late })
}

fn ms(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or(i64::MAX)
}
