//! The keys of the cloud.

use super::Output;
use crate::command::Database;
use crate::domains::edges;
use crate::keys::rotate_user_token_key;
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
pub struct RotateKeys {
    /// The key of users' tokens instead. Instances sign with it within a minute.
    #[arg(long)]
    user_tokens: bool,
    #[command(flatten)]
    output: Output,
}

impl RotateKeys {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let mut tx = database.pool().begin().await?;
        let now = database.clock.now();
        let key_id = if self.user_tokens {
            rotate_user_token_key(&mut tx, now).await?
        } else {
            edges::rotate_branch_key(&mut tx, now).await?
        };
        tx.commit().await?;
        self.output.show(&json!({ "key_id": key_id }))
    }
}

#[derive(Debug, Args)]
pub struct RetireKey {
    /// Number of a key that `rotate-keys` has replaced.
    key_id: u16,
    #[command(flatten)]
    output: Output,
}

impl RetireKey {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let mut tx = database.pool().begin().await?;
        edges::retire_branch_key(&mut tx, self.key_id).await?;
        tx.commit().await?;
        self.output.show(&json!({ "retired_key_id": self.key_id }))
    }
}
