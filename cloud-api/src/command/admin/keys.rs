//! The keys of the cloud.

use super::Output;
use crate::command::Database;
use crate::domains::edges;
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
pub struct RotateKeys {
    #[command(flatten)]
    output: Output,
}

impl RotateKeys {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let mut tx = database.pool().begin().await?;
        let key_id = edges::rotate_branch_key(&mut tx, database.clock.now()).await?;
        tx.commit().await?;
        self.output.show(&json!({ "key_id": key_id }))
    }
}
