//! Letters in the queue. They hold tokens, so what is queued is sealed.

use super::{Letter, MailError};
use crate::app::App;
use crate::jobs::{self, Job};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

/// Sends one letter.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendLetter {
    sealed: String,
}

#[derive(Serialize, Deserialize)]
struct Addressed {
    to: String,
    letter: Letter,
}

/// Queues a letter; it goes once the caller's transaction is committed.
pub async fn queue(
    app: &App,
    db: &mut PgConnection,
    to: &str,
    letter: Letter,
) -> anyhow::Result<()> {
    let addressed = serde_json::to_vec(&Addressed { to: to.to_owned(), letter })?;
    let sealed = hex::encode(app.secrets.seal(SEALED_AS, &addressed)?);
    jobs::enqueue(db, &SendLetter { sealed }, app.clock.now()).await
}

const SEALED_AS: &str = "mail";

impl Job for SendLetter {
    const KIND: &'static str = "mail.send_letter";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let sealed = hex::decode(&self.sealed).context("a queued letter is damaged")?;
        let opened = app.secrets.open(SEALED_AS, &sealed)?;
        let Addressed { to, letter } = serde_json::from_slice(&opened)?;
        match app.mailer.send(&letter.render(to)?).await {
            Ok(()) => Ok(()),
            // Trying again would not help; who asked has long been answered.
            Err(MailError::Refused(reason)) => {
                tracing::warn!(reason, "a letter is refused");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}
