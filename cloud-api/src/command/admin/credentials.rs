//! Cards, phones and codes of members, and the keys of cards.

use super::Output;
use super::find::{self, MemberArgument};
use super::people::taken;
use crate::command::{Database, print};
use crate::domains::members::{self, CredentialKind, Member, PhoneKey, Proof, Uid};
use crate::domains::organizations::{self, SunKeys};
use crate::domains::{branches, edges};
use crate::http::Error;
use crate::ids::CredentialId;
use crate::keys::Keys;
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::Read;
use std::path::PathBuf;
use zeroize::Zeroizing;

#[derive(Debug, Args)]
pub struct AddCard {
    #[command(flatten)]
    member: MemberArgument,
    /// Its number in hexadecimal digits: 4, 7 or 10 bytes.
    uid: Uid,
    /// `sun` for an NTAG 424 that was written with the organization's keys: its number alone opens nothing.
    #[arg(long, default_value = "nfc_uid", value_parser = ["nfc_uid", "sun"])]
    kind: String,
    /// What staff call it.
    #[arg(long)]
    label: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub struct AddPhone {
    #[command(flatten)]
    member: MemberArgument,
    /// Its P-256 public key (SEC1) in hexadecimal digits.
    key: PhoneKey,
    /// What staff call it.
    #[arg(long)]
    label: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub struct SwitchCredential {
    #[command(flatten)]
    member: MemberArgument,
    /// Which one; `admin show-member` lists them.
    credential: CredentialId,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub struct RevokeCredential {
    #[command(flatten)]
    member: MemberArgument,
    /// Which one; `admin show-member` lists them.
    credential: CredentialId,
}

#[derive(Debug, Args)]
pub struct IssueQr {
    #[command(flatten)]
    member: MemberArgument,
    /// Branch where it is good, by name or id; without it, all.
    #[arg(long, value_name = "NAME|ID")]
    branch: Option<String>,
    /// Seconds that it is good for, in steps of 5.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(5..=1275))]
    ttl_s: u32,
    /// How many different ones; each opens once.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
}

#[derive(Debug, Subcommand)]
pub enum SunKeysCommand {
    /// Print the keys, to write cards with them. They open every door.
    Show(SunKeysArguments),
    /// Replace the keys by those in a file: `{"meta": HEX, "file_master": HEX, …}`. Cards written with others
    /// are known no more.
    Set {
        /// File, or - for stdin.
        file: PathBuf,
        #[command(flatten)]
        arguments: SunKeysArguments,
    },
    /// Replace the keys by new random ones. Cards written with others are known no more.
    Generate(SunKeysArguments),
}

#[derive(Debug, Args)]
pub struct SunKeysArguments {
    /// Organization, by name; may be left out while there is only one.
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
}

impl AddCard {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let is_sun = self.kind == CredentialKind::Sun.name();
        let proof = if is_sun { Proof::Sun(self.uid) } else { Proof::NfcUid(self.uid) };
        add(database, &self.member, &proof, self.label.as_deref(), &self.output).await
    }
}

impl AddPhone {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let proof = Proof::Phone(self.key);
        add(database, &self.member, &proof, self.label.as_deref(), &self.output).await
    }
}

impl SwitchCredential {
    pub async fn run(self, database: &Database, enabled: bool) -> anyhow::Result<()> {
        let mut tx = database.pool().begin().await?;
        let member = self.member.find(&mut tx).await?;
        let organization = member.organization_id;
        let changed =
            members::set_credential_enabled(&mut tx, organization, self.credential, enabled)
                .await?;
        tx.commit().await?;
        self.output.show(&changed)
    }
}

impl RevokeCredential {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let mut tx = database.pool().begin().await?;
        let Member { organization_id, .. } = self.member.find(&mut tx).await?;
        let now = database.clock.now();
        members::revoke_credential(&mut tx, organization_id, self.credential, now).await?;
        Ok(tx.commit().await?)
    }
}

impl IssueQr {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let (mut tx, now) = (database.pool().begin().await?, database.clock.now());
        let member = self.member.find(&mut tx).await?;
        // Nobody may have started the service yet.
        Keys::load(&mut tx, now).await?;
        let site_no = match &self.branch {
            Some(text) => find::branch(&mut tx, text).await?.site_no,
            None => branches::ANY_SITE,
        };
        let order = edges::QrOrder {
            member_no: member.member_no.unsigned_abs(),
            site_no: u16::try_from(site_no)?,
            ttl_s: self.ttl_s,
        };
        let mut codes = Vec::new();
        for _ in 0..self.count {
            codes.push(edges::issue_qr(&mut tx, &order, now).await?);
        }
        tx.commit().await?;
        print(&codes.join("\n"))
    }
}

impl SunKeysCommand {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let mut tx = database.pool().begin().await?;
        let (new, arguments) = match self {
            Self::Show(arguments) => (None, arguments),
            Self::Set { file, arguments } => (Some(read_keys(&file)?), arguments),
            Self::Generate(arguments) => (Some(SunKeys::generate()?), arguments),
        };
        let organization = find::organization(&mut tx, arguments.org.as_deref()).await?.id;
        let secrets = database.secrets();
        let Some(keys) = new else {
            let found = organizations::sun_keys(&mut tx, &secrets, organization).await;
            let keys = found.map_err(|error| match error {
                Error::NotFound => taken("there are none; admin sun-keys set|generate".to_owned()),
                error => error,
            })?;
            return print(keys.expose());
        };
        organizations::set_sun_keys(&mut tx, &secrets, organization, &keys).await?;
        Ok(tx.commit().await?)
    }
}

fn read_keys(file: &std::path::Path) -> anyhow::Result<SunKeys> {
    let mut text = Zeroizing::new(String::new());
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).context("no keys on stdin")?;
    } else {
        *text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    }
    SunKeys::read(&text).with_context(|| file.display().to_string())
}

async fn add(
    database: &Database,
    member: &MemberArgument,
    proof: &Proof,
    label: Option<&str>,
    output: &Output,
) -> anyhow::Result<()> {
    let mut tx = database.pool().begin().await?;
    let Member { id, organization_id, member_no, .. } = member.find(&mut tx).await?;
    let now = database.clock.now();
    let added = match members::add_credential(&mut tx, organization_id, id, proof, label, now).await
    {
        Err(Error::Conflict("credential_taken")) => bail!("it is somebody's already"),
        added => added?,
    };
    tx.commit().await?;
    output.show(&json!({ "id": added.id, "member_no": member_no, "kind": added.kind }))
}
