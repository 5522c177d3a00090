//! Background work of the domain.

use super::{change_store, store};
use crate::app::App;
use crate::jobs::Job;
use serde::{Deserialize, Serialize};

/// Forgets what has no meaning any more.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetExpired;

impl Job for ForgetExpired {
    const KIND: &'static str = "edges.forget_expired";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let mut db = app.db.acquire().await?;
        store::forget_expired(&mut db, app.clock.now()).await?;
        change_store::forget_tombstones(&mut db).await?;
        Ok(())
    }
}
