//! `admin`: makes organizations, branches, people and devices from the shell of the server.

mod devices;
mod find;
mod keys;
mod password;
mod people;

use super::{Database, print};
use clap::{Args, Subcommand};
use serde::Serialize;

/// What to make.
#[derive(Debug, Subcommand)]
pub enum Admin {
    /// A gym operator.
    CreateOrg(people::CreateOrganization),
    /// A gym location.
    CreateBranch(people::CreateBranch),
    /// Somebody who can log in.
    CreateUser(people::CreateUser),
    /// A machine; its secret is shown once.
    CreateMachine(devices::CreateMachine),
    /// A reader of cards or codes; its secret is shown once.
    CreateReader(devices::CreateReader),
    /// A bridge that speaks for devices; its secret is shown once.
    CreateBridge(devices::CreateBridge),
    /// A display or building system that only reads; its secret is shown once.
    CreateObserver(devices::CreateObserver),
    /// A one-time code that enrols an edge agent for a branch.
    EnrollCode(devices::EnrollCode),
    /// A new key that signs what branches are told. They hear of it under the former one, which they go on
    /// believing.
    RotateKeys(keys::RotateKeys),
}

/// How results are printed.
#[derive(Debug, Args)]
pub struct Output {
    /// Print JSON, for scripts.
    #[arg(long)]
    json: bool,
}

impl Admin {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        match self {
            Self::CreateOrg(command) => command.run(database).await,
            Self::CreateBranch(command) => command.run(database).await,
            Self::CreateUser(command) => command.run(database).await,
            Self::CreateMachine(command) => command.run(database).await,
            Self::CreateReader(command) => command.run(database).await,
            Self::CreateBridge(command) => command.run(database).await,
            Self::CreateObserver(command) => command.run(database).await,
            Self::EnrollCode(command) => command.run(database).await,
            Self::RotateKeys(command) => command.run(database).await,
        }
    }
}

impl Output {
    /// Prints the fields of a result, one per line or as JSON.
    pub fn show(&self, result: &impl Serialize) -> anyhow::Result<()> {
        let value = serde_json::to_value(result)?;
        if self.json {
            return print(&value.to_string());
        }
        let fields = value.as_object().into_iter().flatten();
        let lines = fields.filter(|(_, value)| !value.is_null()).map(|(name, value)| match value {
            serde_json::Value::String(text) => format!("{name}: {text}"),
            other => format!("{name}: {other}"),
        });
        print(&lines.collect::<Vec<_>>().join("\n"))
    }
}
