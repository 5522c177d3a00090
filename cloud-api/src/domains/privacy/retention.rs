//! How long things are kept, as `[retention]` says.

use super::store;
use crate::app::App;
use crate::audit;
use crate::jobs::Job;
use serde::{Deserialize, Serialize};
use time::Duration;

/// Forgets what was kept for long enough.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetOld;

impl Job for ForgetOld {
    const KIND: &'static str = "privacy.forget_old";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let (now, kept) = (app.clock.now(), &app.config.retention);
        let before = |days: u32| now - Duration::days(days.into());
        let mut db = app.db.acquire().await?;
        store::forget_before(
            &mut db,
            before(kept.activity_days),
            before(kept.usage_days),
            before(kept.feedback_days),
            before(kept.security_events_days),
        )
        .await?;
        let (all, erased) = (kept.audit_addresses_days, kept.erased_audit_addresses_days);
        Ok(audit::forget_addresses(&mut db, before(all), before(erased)).await?)
    }
}
