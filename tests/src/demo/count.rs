//! What came from the hardware at the bridge, counted in the cloud's database.

use super::hardware;
use super::system::System;
use super::tally::Counts;
use crate::ledger::{self, Ids};
use crate::metrics;
use anyhow::{Result, ensure};
use std::collections::BTreeMap;

/// Taps, decisions, samples and sets of what is plugged into the bridge.
#[derive(Debug)]
pub struct BranchHardware {
    /// Taps of the reader of cards.
    pub taps_of_cards: i64,
    /// Decisions by reason.
    pub decisions: BTreeMap<String, i64>,
    /// Taps that nobody has decided; none is decided twice, which the table makes sure of.
    pub undecided: i64,
    /// How often the door was opened.
    pub openings: usize,
    /// Samples of the consoles.
    pub of_consoles: Ids,
    /// Samples and sets of the board.
    pub of_board: Ids,
    /// Stays and lent machines: open in the cloud, and at the branch.
    pub floor: [(i64, i64); 2],
    /// Stays that there were.
    pub stays: i64,
    /// Samples in the database, of machines of any kind.
    samples: usize,
    /// Samples in the edge's journal, of machines of any kind.
    journaled: f64,
}

impl BranchHardware {
    /// Counts.
    pub async fn read(system: &System) -> Result<Self> {
        let db = &system.database;
        let taps =
            "SELECT count(*) FROM taps JOIN devices ON devices.id = device_id WHERE code = $1";
        let undecided = "SELECT count(*) FROM taps WHERE NOT EXISTS (
                           SELECT FROM decisions WHERE decisions.tap_id = taps.tap_id)";
        let decisions: Vec<(String, i64)> =
            sqlx::query_as("SELECT reason, count(*) FROM decisions GROUP BY reason")
                .fetch_all(db)
                .await?;
        let mut stored = ledger::stored(db).await?;
        let mut of_consoles = Ids::default();
        for code in hardware::consoles() {
            of_consoles.merge(stored.take_out(code));
        }
        Ok(Self {
            taps_of_cards: sqlx::query_scalar(taps)
                .bind(hardware::CARD_READER)
                .fetch_one(db)
                .await?,
            decisions: decisions.into_iter().collect(),
            undecided: sqlx::query_scalar(undecided).fetch_one(db).await?,
            openings: system.hardware.openings(),
            of_consoles,
            of_board: stored.take_out(hardware::BOARD),
            floor: floor(system).await?,
            stays: sqlx::query_scalar("SELECT count(*) FROM gym_sessions").fetch_one(db).await?,
            samples: ledger::samples(db).await?.len(),
            journaled: metrics::read(system.edge.ports().ops, metrics::SAMPLES).await?,
        })
    }

    /// Whether everything has arrived.
    pub fn is_complete(&self, counts: &Counts) -> bool {
        self.judge(counts).is_ok()
    }

    /// Fails if anything is missing, doubled, or decided otherwise than it ought to be.
    pub fn judge(&self, counts: &Counts) -> Result<()> {
        let (board, told) = (self.of_board.len(), counts.of_board);
        ensure!(
            self.taps_of_cards == i64::try_from(counts.held)?,
            "taps of cards are missing or doubled"
        );
        ensure!(self.undecided == 0, "{} taps were not decided", self.undecided);
        ensure!(
            self.decisions == counts.expected,
            "decided were {:?}, but expected {:?}",
            self.decisions,
            counts.expected
        );
        ensure!(board == told, "the board told {told} samples and sets, {board} are stored");
        ensure!(
            self.of_consoles.skipped() == 0 && !self.of_consoles.is_empty(),
            "samples of consoles are missing"
        );
        ensure!(self.doubled() == 0, "samples or sets of the bridge's machines are doubled");
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let stored = self.samples as f64;
        ensure!(
            stored >= self.journaled,
            "{} samples were journaled, {stored} are stored",
            self.journaled
        );
        let is_same = self.floor.iter().all(|(cloud, branch)| cloud == branch);
        ensure!(is_same, "open stays and links, cloud and branch: {:?}", self.floor);
        ensure!(self.stays > 0, "nobody came in");
        let granted = self.decisions.get("granted").copied().unwrap_or(0);
        ensure!(
            (1..=granted).contains(&i64::try_from(self.openings)?),
            "the door was opened {} times for {granted} who were let in",
            self.openings
        );
        Ok(())
    }

    /// The decisions in words.
    pub fn reasons(&self) -> String {
        let each = self.decisions.iter().map(|(reason, count)| format!("{count} {reason}"));
        each.collect::<Vec<_>>().join(", ")
    }

    /// Samples and sets that are stored more than once.
    pub fn doubled(&self) -> usize {
        self.of_consoles.doubled() + self.of_board.doubled()
    }
}

async fn floor(system: &System) -> Result<[(i64, i64); 2]> {
    let open = |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(&system.database);
    let ops = system.edge.ports().ops;
    Ok([
        (
            open("SELECT count(*) FROM gym_sessions WHERE ended_at IS NULL").await?,
            whole(metrics::read(ops, metrics::SESSIONS).await?),
        ),
        (
            open("SELECT count(*) FROM links WHERE ended_at IS NULL").await?,
            whole(metrics::read(ops, metrics::LINKS).await?),
        ),
    ])
}

#[expect(clippy::cast_possible_truncation, reason = "a gauge of a few hundred")]
fn whole(gauge: f64) -> i64 {
    gauge.round() as i64
}
