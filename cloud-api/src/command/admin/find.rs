//! Finds what arguments name: by id, by name, or the only one there is.

use crate::domains::branches::{self, Branch};
use crate::domains::members::{self, Member};
use crate::domains::organizations::{self, Organization};
use anyhow::{Context, bail};
use clap::Args;
use sqlx::PgConnection;

/// Which branch.
#[derive(Debug, Args)]
pub struct BranchArgument {
    /// Branch, by name or id; may be left out while there is only one.
    #[arg(long, value_name = "NAME|ID")]
    branch: Option<String>,
}

impl BranchArgument {
    pub async fn find(&self, db: &mut PgConnection) -> anyhow::Result<Branch> {
        match &self.branch {
            Some(text) => branch(db, text).await,
            None => branches::only(db).await?.context(
                "--branch is needed unless there is exactly one (admin create-branch makes one)",
            ),
        }
    }
}

pub async fn branch(db: &mut PgConnection, text: &str) -> anyhow::Result<Branch> {
    if let Ok(id) = text.parse() {
        let found = branches::by_id(db, id).await?;
        return found.with_context(|| format!("--branch: there is no branch {text}"));
    }
    let mut found = branches::by_name(db, text).await?;
    match found.len() {
        0 => bail!("--branch: there is no branch {text:?}"),
        1 => Ok(found.remove(0)),
        _ => bail!("--branch: several branches are called {text:?}; give the id"),
    }
}

pub async fn organization(
    db: &mut PgConnection,
    name: Option<&str>,
) -> anyhow::Result<Organization> {
    match name {
        Some(name) => organizations::by_name(db, name)
            .await?
            .with_context(|| format!("--org: there is no organization {name:?}")),
        None => organizations::only(db)
            .await?
            .context("--org is needed unless there is exactly one (admin create-org makes one)"),
    }
}

/// Which member.
#[derive(Debug, Args)]
pub struct MemberArgument {
    /// Member, by number.
    #[arg(value_name = "MEMBER_NO")]
    member: u64,
}

impl MemberArgument {
    pub async fn find(&self, db: &mut PgConnection) -> anyhow::Result<Member> {
        let found = members::by_number(db, self.member).await?;
        found.with_context(|| format!("there is no member {}", self.member))
    }
}
