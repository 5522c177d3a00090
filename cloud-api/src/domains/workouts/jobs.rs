//! Background work of the domain.

use super::delivery_store;
use crate::app::App;
use crate::jobs::Job;
use serde::{Deserialize, Serialize};
use time::Duration;

/// Forgets which records machines delivered, once nobody delivers them again. What they said stays.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetDeliveries;

impl Job for ForgetDeliveries {
    const KIND: &'static str = "workouts.forget_deliveries";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let mut db = app.db.acquire().await?;
        delivery_store::forget_before(&mut db, app.clock.now() - KNOWN_FOR).await?;
        Ok(())
    }
}

/// Sets are known by their ids for ever, samples by their numbers: this only answers repeats sooner.
const KNOWN_FOR: Duration = Duration::days(60);
