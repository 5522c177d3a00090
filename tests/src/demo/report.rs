//! The count at the end: what was sent, acked, journaled and stored, and what is missing or doubled.

use super::count::BranchHardware;
use super::hardware;
use super::lending::{self, Lending};
use super::system::System;
use super::tally::Counts;
use crate::ledger::{self, Verdict};
use crate::metrics;
use crate::times::Times;
use anyhow::{Result, ensure};
use protocol::machine::columns;
use protocol::time::Stamp;
use sqlx::{PgPool, Row as _};
use std::fmt;
use std::time::Duration;

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
    to_cloud: Times,
    to_api: Times,
    hardware: BranchHardware,
    lending: Lending,
}

impl Report {
    /// Counts in the edge's metrics, in the cloud's API and in its database.
    pub async fn make(system: &System, counts: Counts, to_api: Times) -> Result<Self> {
        let mut stored = ledger::stored(&system.database).await?;
        // What the bridge speaks for is counted for itself.
        hardware::machines().for_each(|(code, _)| drop(stored.take_out(code)));
        let taps = ledger::presented(&system.database).await?;
        let verdict = counts.ledger.judge(&stored);
        let times = |code: &String| taps.get(code).copied().unwrap_or(0);
        let presented = || counts.presented.iter().cloned();
        Ok(Self {
            journaled_samples: metrics::read(system.edge.ports().ops, metrics::SAMPLES).await?,
            stored: stored.len(),
            stored_taps: taps.values().sum(),
            samples_in_api: samples_in_api(system).await?,
            verdict,
            missing_taps: presented().filter(|code| times(code) == 0).collect(),
            doubled_taps: presented().filter(|code| times(code) > 1).collect(),
            to_cloud: to_cloud(&system.database).await?,
            to_api,
            hardware: BranchHardware::read(system).await?,
            lending: Lending::read(&system.database).await?,
            counts,
        })
    }

    /// Fails if anything is missing or doubled.
    pub fn judge(&self) -> Result<()> {
        ensure!(
            self.verdict.is_clean() && self.missing_taps.is_empty() && self.doubled_taps.is_empty(),
            "something is missing or doubled"
        );
        self.hardware.judge(&self.counts)?;
        self.lending.judge(&self.counts)?;
        ensure!(self.counts.samples > 0 && self.stored_taps > 0, "nothing was measured");
        Ok(())
    }

    /// Machines that were lent.
    pub fn lending(&self) -> &Lending {
        &self.lending
    }

    /// What came from the hardware at the bridge.
    pub fn hardware(&self) -> &BranchHardware {
        &self.hardware
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (counts, hardware) = (&self.counts, &self.hardware);
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
            (
                "cards and phones held, their taps",
                format!("{}, {}", counts.held, hardware.taps_of_cards),
            ),
            ("decisions", hardware.reasons()),
            ("times the relay opened the door", hardware.openings.to_string()),
            ("stays of members, in all", hardware.stays.to_string()),
            ("stays open in the cloud = at the branch", pair(hardware.floor[0])),
            ("machines lent in the cloud = at the branch", pair(hardware.floor[1])),
            ("samples of consoles in the database", hardware.of_consoles.len().to_string()),
            (
                "samples and sets of the board, stored",
                format!("{}, {}", counts.of_board, hardware.of_board.len()),
            ),
            ("missing", (self.verdict.missing.len() + self.missing_taps.len()).to_string()),
            (
                "doubled",
                (self.verdict.doubled.len() + self.doubled_taps.len() + hardware.doubled())
                    .to_string(),
            ),
            ("publish to ack, telemetry and states", counts.grouped_acks.to_string()),
            ("publish to ack, sets", counts.set_acks.to_string()),
            ("sample to the cloud's live view", self.to_api.to_string()),
            ("sample to the cloud's database (every 5 s)", self.to_cloud.to_string()),
        ];
        writeln!(f)?;
        for (name, value) in lines.into_iter().chain(lending::pairs(counts, &self.lending)) {
            writeln!(f, "  {name:<44} {value}")?;
        }
        if !self.verdict.is_clean() {
            writeln!(f, "{}", self.verdict)?;
        }
        Ok(())
    }
}

/// Samples by the roll-ups that the cloud's API gives.
pub async fn samples_in_api(system: &System) -> Result<i64> {
    system.staff.samples(system.seeded.machines().map(|machine| machine.id.as_str())).await
}

/// From the moment a sample was taken until its chunk was committed in the cloud.
async fn to_cloud(db: &PgPool) -> Result<Times> {
    let chunks = sqlx::query(
        "SELECT columns, offset_ms, boot,
                (extract(epoch FROM received_at) * 1000)::bigint AS received_ms
         FROM telemetry_chunks",
    )
    .fetch_all(db)
    .await?;
    let mut times = Times::new();
    for chunk in chunks {
        let offset_ms: i64 = chunk.try_get("offset_ms")?;
        let received_ms: i64 = chunk.try_get("received_ms")?;
        let boot: i64 = chunk.try_get("boot")?;
        let clock =
            Stamp { boot: boot.cast_unsigned(), mono_ms: 0, wall_ms: offset_ms, synced: true };
        for timed in columns::decode(chunk.try_get("columns")?)? {
            let taken_ms = timed.sample.taken_ms(timed.mono_ms, &clock);
            let after_ms = u64::try_from(received_ms - taken_ms).unwrap_or(0);
            times.record(Duration::from_millis(after_ms));
        }
    }
    Ok(times)
}

fn pair((cloud, branch): (i64, i64)) -> String {
    format!("{cloud} = {branch}")
}
