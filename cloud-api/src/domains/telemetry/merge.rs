//! Chunks of an hour of a machine become one, once nothing comes for them any more: a delivery every half minute leaves 120
//! of them. The samples and their times stay what they were.

use super::chunk::taken_ms;
use super::erasure::{self, Span};
use super::rollup::{Taken, in_order};
use super::{measured::LATE, rollup_store, store};
use crate::app::App;
use crate::ids::DeviceId;
use crate::jobs::Job;
use anyhow::{Context, Result};
use protocol::machine::columns::{self, MAX_SAMPLES, TimedSample};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, query};
use time::{Duration, OffsetDateTime};

/// Merges chunks of hours that are over.
#[derive(Debug, Serialize, Deserialize)]
pub struct MergeChunks;

impl Job for MergeChunks {
    const KIND: &'static str = "telemetry.merge_chunks";

    async fn run(self, app: &App) -> Result<()> {
        let before = app.clock.now() - OVER;
        while !app.stop.is_cancelled() && merge_next(app, before).await? {}
        Ok(())
    }
}

/// What is on its way has come by then, as a rule; what comes later is merged when it has come.
const OVER: Duration = Duration::hours(3);

/// `false` if there is none.
async fn merge_next(app: &App, before: OffsetDateTime) -> Result<bool> {
    let mut tx = app.db.begin().await?;
    let next = query!(
        r#"DELETE FROM unmerged_hours WHERE (machine_id, hour) = (
             SELECT machine_id, hour FROM unmerged_hours WHERE hour < $1
             ORDER BY hour, machine_id LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING machine_id AS "machine_id: DeviceId", hour"#,
        before,
    );
    let Some(next) = next.fetch_optional(&mut *tx).await? else { return Ok(false) };
    merge(&mut tx, next.machine_id, next.hour).await?;
    tx.commit().await?;
    Ok(true)
}

/// Whoever computes the hour waits, and the other way round.
async fn merge(db: &mut PgConnection, machine: DeviceId, hour: OffsetDateTime) -> Result<()> {
    rollup_store::wait_for_hour(db, machine, hour).await?;
    let to = hour.saturating_add(Duration::HOUR);
    let mut chunks = store::chunks_begun(db, machine, hour, to).await?;
    // What came late stays apart: it is known by when it came.
    chunks.retain(|chunk| chunk.received_at - chunk.to_at <= LATE);
    if chunks.len() < 2 {
        return Ok(());
    }
    let blocks: Vec<_> =
        chunks.iter().map(|chunk| (chunk.offset_ms, chunk.columns.clone())).collect();
    let until = chunks.iter().map(|chunk| chunk.to_at).max().unwrap_or(to);
    let erased = erasure::spans(db, machine, hour, until).await?;
    let merged = tokio::task::spawn_blocking(move || one_of(&blocks, &erased)).await?;
    let samples = merged.context("a stored chunk is damaged")?;
    if samples.is_empty() || samples.len() > MAX_SAMPLES {
        return Ok(());
    }
    store::replace_by_one(db, &chunks, &samples).await?;
    metrics::counter!("telemetry_chunks_merged_total").increment(chunks.len() as u64);
    Ok(())
}

/// All samples in order, none twice, with Unix milliseconds for monotonic times.
fn one_of(
    blocks: &[(i64, Vec<u8>)],
    erased: &[Span],
) -> Result<Vec<TimedSample>, columns::ColumnsError> {
    let mut all = Vec::new();
    for (offset_ms, block) in blocks {
        let decoded = columns::decode(block)?;
        all.extend(
            decoded
                .into_iter()
                .map(|timed| Taken { at_ms: taken_ms(&timed, *offset_ms), sample: timed.sample }),
        );
    }
    in_order(&mut all);
    erasure::erase(&mut all, erased);
    let timed = |taken: Taken| TimedSample {
        source: 0,
        mono_ms: u64::try_from(taken.at_ms).unwrap_or(0),
        sample: taken.sample,
    };
    Ok(all.into_iter().map(timed).collect())
}
