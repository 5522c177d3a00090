//! What the next start is to know of the time: a moment that has certainly passed, and what the cloud said of the clock
//! of this boot, which goes on counting while the agent is down.

use super::{Registry, tables};
use crate::ops::clock::{Clock, CloudTime};
use anyhow::Result;

const FLOOR: &str = "floor_ms";
const BOOT: &str = "cloud_time_boot";
const OFFSET: &str = "cloud_time_offset_ms";
const TOLD: &str = "cloud_time_told_ms";

impl Registry {
    /// Keeps what is known of the time, if anything is.
    pub async fn keep_time(&self, floor_ms: Option<i64>, told: Option<CloudTime>) -> Result<()> {
        let keep = move |db: &mut rusqlite::Connection| {
            let step = db.transaction()?;
            if let Some(floor_ms) = floor_ms {
                tables::write_meta(&step, FLOOR, floor_ms)?;
            }
            if let Some(told) = told {
                tables::write_meta(&step, BOOT, told.boot.cast_signed())?;
                tables::write_meta(&step, OFFSET, told.offset_ms)?;
                tables::write_meta(&step, TOLD, told.told_ms.cast_signed())?;
            }
            step.commit()
        };
        self.0.store.call(keep).await
    }

    /// Tells a clock what an earlier start has kept.
    pub(super) async fn recall_time(&self, clock: &Clock) -> Result<()> {
        let read = |db: &mut rusqlite::Connection| {
            let told = CloudTime {
                boot: tables::read_meta(db, BOOT)?.cast_unsigned(),
                offset_ms: tables::read_meta(db, OFFSET)?,
                told_ms: tables::read_meta(db, TOLD)?.cast_unsigned(),
            };
            Ok((tables::read_meta(db, FLOOR)?, told))
        };
        let (floor_ms, told) = self.0.store.call(read).await?;
        clock.raise_floor(floor_ms);
        clock.recall_cloud_time(told);
        Ok(())
    }
}
