//! Noting that a password is guessed. Whether there is an account is looked up by a job, so that the time of the answer
//! does not tell.

use super::model::Email;
use super::sealed_email::SealedEmail;
use super::store;
use crate::app::App;
use crate::domains::watch;
use crate::http::Result;
use crate::jobs::{self, Job};
use serde::{Deserialize, Serialize};

/// Has it noted, if there is such an account.
pub async fn note_later(app: &App, email: &Email) -> Result<()> {
    let sealed = SealedEmail::seal(&app.secrets, email)?;
    let mut db = app.db.acquire().await?;
    Ok(jobs::enqueue(&mut db, &NoteGuessing { sealed }, app.clock.now()).await?)
}

/// Notes it.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoteGuessing {
    sealed: SealedEmail,
}

impl Job for NoteGuessing {
    const KIND: &'static str = "accounts.note_guessing";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let email = self.sealed.open(&app.secrets)?;
        let mut tx = app.db.begin().await?;
        let Some(found) = store::by_email(&mut tx, &email, app.clock.now()).await? else {
            return Ok(());
        };
        watch::after_guessing(app, &mut tx, found.user.id).await?;
        Ok(tx.commit().await?)
    }
}
