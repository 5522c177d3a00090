//! `admin`: makes organizations, branches, people and devices from the shell of the server.

mod branch;
mod credentials;
mod devices;
mod failed_jobs;
mod find;
mod import;
mod keys;
mod members;
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
    /// Opening hours and other settings of a branch.
    SetBranch(branch::SetBranch),
    /// Somebody who trains.
    CreateMember(members::CreateMember),
    /// A member with all that belongs to them.
    ShowMember(members::ShowMember),
    /// Keeps a member out everywhere.
    BlockMember(members::BlockMember),
    /// Lets a member in again.
    UnblockMember(members::UnblockMember),
    /// Removes a member with their cards and phones.
    RemoveMember(members::RemoveMember),
    /// Gives a member a right to use branches.
    AddMembership(members::AddMembership),
    /// Pauses a membership, or lets it go on.
    FreezeMembership(members::FreezeMembership),
    /// Gives a member a card.
    AddCard(credentials::AddCard),
    /// Gives a member a phone.
    AddPhone(credentials::AddPhone),
    /// Switches a card or phone off for a while.
    DisableCredential(credentials::SwitchCredential),
    /// Switches a card or phone on again.
    EnableCredential(credentials::SwitchCredential),
    /// Takes a card or phone away for good.
    RevokeCredential(credentials::RevokeCredential),
    /// Members from a file.
    ImportMembers(import::ImportMembers),
    /// A code that a member shows at the door; it opens once.
    IssueQr(credentials::IssueQr),
    /// The keys of the organization's NTAG 424 cards.
    #[command(subcommand)]
    SunKeys(credentials::SunKeysCommand),
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
    /// Jobs that were given up, with their last error.
    FailedJobs(failed_jobs::FailedJobs),
    /// Another chance for a job that was given up.
    RetryJob(failed_jobs::RetryJob),
    /// Branches believe a replaced key no more, as after a leak. A branch that was not heard since `rotate-keys` has
    /// to be enrolled again.
    RetireKey(keys::RetireKey),
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
            Self::SetBranch(command) => command.run(database).await,
            Self::CreateMember(command) => command.run(database).await,
            Self::ShowMember(command) => command.run(database).await,
            Self::BlockMember(command) => command.run(database).await,
            Self::UnblockMember(command) => command.run(database).await,
            Self::RemoveMember(command) => command.run(database).await,
            Self::AddMembership(command) => command.run(database).await,
            Self::FreezeMembership(command) => command.run(database).await,
            Self::AddCard(command) => command.run(database).await,
            Self::AddPhone(command) => command.run(database).await,
            Self::DisableCredential(command) => command.run(database, false).await,
            Self::EnableCredential(command) => command.run(database, true).await,
            Self::RevokeCredential(command) => command.run(database).await,
            Self::ImportMembers(command) => command.run(database).await,
            Self::IssueQr(command) => command.run(database).await,
            Self::SunKeys(command) => command.run(database).await,
            Self::CreateMachine(command) => command.run(database).await,
            Self::CreateReader(command) => command.run(database).await,
            Self::CreateBridge(command) => command.run(database).await,
            Self::CreateObserver(command) => command.run(database).await,
            Self::EnrollCode(command) => command.run(database).await,
            Self::RotateKeys(command) => command.run(database).await,
            Self::FailedJobs(command) => command.run(database).await,
            Self::RetryJob(command) => command.run(database).await,
            Self::RetireKey(command) => command.run(database).await,
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

    /// The same, for a result of which one field is a list: its items come on lines of their own.
    pub fn show_with_lines<T: Serialize, I: std::fmt::Display>(
        &self,
        result: &T,
        items: &[I],
    ) -> anyhow::Result<()> {
        if self.json {
            return print(&serde_json::to_value(result)?.to_string());
        }
        print(&items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }
}
