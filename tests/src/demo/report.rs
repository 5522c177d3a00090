//! The count at the end: what was sent, acked, journaled and stored, and what is missing or doubled.

use super::system::System;
use super::tally::Counts;
use crate::ledger::{self, Verdict};
use crate::metrics;
use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use protocol::machine::columns;
use protocol::time::Stamp;
use sqlx::{PgPool, Row as _};
use std::fmt;

/// What came of it.
#[derive(Debug)]
pub struct Report {
    counts: Counts,
    journaled_samples: f64,
    stored: usize,
    stored_taps: u32,
    samples_in_api: i64,
    verdict: Verdict,
    missing_taps: Vec<String>,
    doubled_taps: Vec<String>,
    to_cloud_ms: Histogram<u64>,
}

impl Report {
    /// Counts in the edge's metrics, in the cloud's API and in its database.
    pub async fn make(system: &System, counts: Counts) -> Result<Self> {
        let stored = ledger::stored(&system.database).await?;
        let taps = ledger::presented(&system.database).await?;
        let verdict = counts.ledger.judge(&stored);
        let times = |code: &String| taps.get(code).copied().unwrap_or(0);
        let presented = || counts.presented.iter().cloned();
        let machines = system.seeded.machines().map(|machine| machine.id.as_str());
        Ok(Self {
            journaled_samples: metrics::read(system.edge.ports().ops, metrics::SAMPLES).await?,
            stored: stored.len(),
            stored_taps: taps.values().sum(),
            samples_in_api: system.staff.samples(machines).await?,
            verdict,
            missing_taps: presented().filter(|code| times(code) == 0).collect(),
            doubled_taps: presented().filter(|code| times(code) > 1).collect(),
            to_cloud_ms: to_cloud(&system.database).await?,
            counts,
        })
    }

    /// Fails if anything is missing or doubled.
    pub fn judge(&self) -> Result<()> {
        ensure!(
            self.verdict.is_clean() && self.missing_taps.is_empty() && self.doubled_taps.is_empty(),
            "something is missing or doubled"
        );
        ensure!(self.counts.samples > 0 && self.stored_taps > 0, "nothing was measured");
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        let acked = counts.ledger.acked.len();
        let lines = [
            ("messages sent", counts.sent.to_string()),
            ("messages acked", counts.acked.to_string()),
            ("samples and sets acked", format!("{acked} ({} sets)", counts.sets)),
            ("samples journaled by the edge", format!("{:.0}", self.journaled_samples)),
            ("samples and sets in the database", self.stored.to_string()),
            ("samples by the cloud's API", self.samples_in_api.to_string()),
            (
                "codes scanned, taps in the database",
                format!("{}, {}", counts.presented.len(), self.stored_taps),
            ),
            ("missing", (self.verdict.missing.len() + self.missing_taps.len()).to_string()),
            ("doubled", (self.verdict.doubled.len() + self.doubled_taps.len()).to_string()),
            ("publish to ack, telemetry (in groups)", percentiles(&counts.telemetry_us, 1_000.0)),
            ("publish to ack, sets and states", percentiles(&counts.event_us, 1_000.0)),
            ("sample to cloud's database", percentiles(&self.to_cloud_ms, 1.0)),
        ];
        writeln!(f)?;
        for (name, value) in lines {
            writeln!(f, "  {name:<38} {value}")?;
        }
        if !self.verdict.is_clean() {
            writeln!(f, "{}", self.verdict)?;
        }
        Ok(())
    }
}

fn percentiles(histogram: &Histogram<u64>, per_ms: f64) -> String {
    let at = |quantile| {
        let value = u32::try_from(histogram.value_at_quantile(quantile)).unwrap_or(u32::MAX);
        f64::from(value) / per_ms
    };
    format!(
        "p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    )
}

/// From the moment a sample was taken until its chunk was committed in the cloud.
async fn to_cloud(db: &PgPool) -> Result<Histogram<u64>> {
    let chunks = sqlx::query(
        "SELECT columns, offset_ms, boot,
                (extract(epoch FROM received_at) * 1000)::bigint AS received_ms
         FROM telemetry_chunks",
    )
    .fetch_all(db)
    .await?;
    let mut histogram = Histogram::new(3)?;
    for chunk in chunks {
        let offset_ms: i64 = chunk.try_get("offset_ms")?;
        let received_ms: i64 = chunk.try_get("received_ms")?;
        let boot: i64 = chunk.try_get("boot")?;
        let clock =
            Stamp { boot: boot.cast_unsigned(), mono_ms: 0, wall_ms: offset_ms, synced: true };
        for timed in columns::decode(chunk.try_get("columns")?)? {
            let taken_ms = timed.sample.taken_ms(timed.mono_ms, &clock);
            histogram.saturating_record(u64::try_from(received_ms - taken_ms).unwrap_or(0));
        }
    }
    Ok(histogram)
}
