//! Background work of accounts.

use super::login_store;
use crate::app::App;
use crate::jobs::Job;
use serde::{Deserialize, Serialize};
use time::Duration;

/// Forgets logins and tokens that were over for long.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetLogins;

impl Job for ForgetLogins {
    const KIND: &'static str = "accounts.forget_logins";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let before = app.clock.now() - KEPT;
        Ok(login_store::forget_over(&mut *app.db.acquire().await?, before).await?)
    }
}

/// So long a device stays known, and a token that comes again is told apart from one that never was.
const KEPT: Duration = Duration::days(30);
