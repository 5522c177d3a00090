//! Jobs that were given up: which there are, and another try.

use super::Output;
use crate::command::Database;
use crate::jobs;
use anyhow::ensure;
use clap::Args;
use serde_json::json;
use uuid::Uuid;

#[derive(Debug, Args)]
pub struct FailedJobs {
    #[command(flatten)]
    output: Output,
}

impl FailedJobs {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let failed = jobs::failed(&mut *database.pool().acquire().await?).await?;
        self.output.show(&json!({ "failed": failed }))
    }
}

#[derive(Debug, Args)]
pub struct RetryJob {
    /// Id of the job.
    job: Uuid,
    #[command(flatten)]
    output: Output,
}

impl RetryJob {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let mut db = database.pool().acquire().await?;
        let is_queued = jobs::retry(&mut db, self.job, database.clock.now()).await?;
        ensure!(is_queued, "no job {} was given up", self.job);
        self.output.show(&json!({ "id": self.job }))
    }
}
