//! Background work of files.

use super::{discard, store};
use crate::app::App;
use crate::jobs::Job;
use serde::{Deserialize, Serialize};

/// Removes files that are over.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetFiles;

impl Job for ForgetFiles {
    const KIND: &'static str = "files.forget_files";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let over = store::over(&mut *app.db.acquire().await?, app.clock.now()).await?;
        for (owner, id) in over {
            store::forget(&mut *app.db.acquire().await?, id).await?;
            discard(app, owner, id).await;
        }
        Ok(())
    }
}
