//! Background work on chunks: dates that become known late, partitions, retention.

use super::chunk::{Chunk, Unusable};
use super::store;
use crate::app::App;
use crate::domains::{activity, sessions};
use crate::ids::EdgeId;
use crate::jobs::{self, Job};
use protocol::sync::batch::MachineTelemetry;
use protocol::time::Stamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use time::Duration;

/// A synced stamp of a boot has become known: everything of that boot that had none gets its date.
#[derive(Debug, Serialize, Deserialize)]
pub struct Redate {
    pub edge: EdgeId,
    pub boot: u64,
}

impl Job for Redate {
    const KIND: &'static str = "telemetry.redate";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let mut db = app.db.acquire().await?;
        let Some(offset_ms) = store::offset_ms(&mut db, self.edge, self.boot).await? else {
            return Ok(());
        };
        activity::redate(&mut db, self.edge, self.boot, offset_ms).await?;
        sessions::redate(&mut db, self.edge, self.boot, offset_ms).await?;
        jobs::enqueue(&mut db, &sessions::Pass, app.clock.now()).await?;
        drop(db);
        while self.redate_some(app, offset_ms).await? {}
        Ok(())
    }
}

impl Redate {
    /// A few chunks in one transaction; `false` when there were no more.
    async fn redate_some(&self, app: &App, offset_ms: i64) -> anyhow::Result<bool> {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let some = store::undated(&mut tx, self.edge, self.boot, SOME).await?;
        for old in &some {
            let mut chunk = self.chunk(old).map_err(|(error, _)| error)?;
            let mut hours = std::mem::take(&mut chunk.hours);
            chunk.date(offset_ms)?;
            store::redate(&mut tx, self.edge, old, &chunk).await?;
            hours.extend(chunk.hours);
            let hours: BTreeSet<_> = hours.into_iter().map(|hour| (old.machine_id, hour)).collect();
            store::mark_dirty(&mut tx, old.branch_id, &hours, now).await?;
        }
        tx.commit().await?;
        Ok(!some.is_empty())
    }

    fn chunk(&self, old: &store::Undated) -> Result<Chunk, (Unusable, MachineTelemetry)> {
        let clock = Stamp { boot: self.boot, mono_ms: 0, wall_ms: old.offset_ms, synced: false };
        let columns = old.columns.clone();
        Chunk::new(old.ordinal, MachineTelemetry { machine: old.machine_id.into(), clock, columns })
    }
}

const SOME: i64 = 200;

/// Makes partitions ahead of time, and drops those that are older than the retention time.
#[derive(Debug, Serialize, Deserialize)]
pub struct TidyPartitions;

impl Job for TidyPartitions {
    const KIND: &'static str = "telemetry.tidy_partitions";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let now = app.clock.now();
        let mut db = app.db.acquire().await?;
        for ahead in [Duration::ZERO, Duration::days(31)] {
            store::make_partition(&mut db, now + ahead).await?;
        }
        let retention = Duration::days(app.config.telemetry.retention_days.into());
        store::drop_before(&mut db, now - retention).await?;
        Ok(())
    }
}
