//! Background work of the domain.

use super::{fold, requests, store};
use crate::app::App;
use crate::jobs::Job;
use serde::{Deserialize, Serialize};

/// Ends what ends by itself, and folds what was not folded when it came.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pass;

impl Job for Pass {
    const KIND: &'static str = "sessions.pass";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let organizations =
            store::unsettled(&mut *app.db.acquire().await?, app.clock.now_ms()).await?;
        for organization in organizations {
            fold::settle(app, organization).await?;
        }
        Ok(())
    }
}

/// Records what was asked of branches that do not answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Provisional;

impl Job for Provisional {
    const KIND: &'static str = "sessions.provisional";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        for organization in requests::record_unanswered(app).await? {
            fold::settle(app, organization).await?;
        }
        Ok(())
    }
}
