//! Organizations, branches and users.

use super::{Output, find, password};
use crate::command::Database;
use crate::domains::accounts::{self, Email, NewUser, Role};
use crate::domains::{branches, organizations};
use crate::http::{Error, OnConstraint};
use anyhow::{bail, ensure};
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
pub struct CreateOrganization {
    /// Its name.
    #[arg(value_parser = name)]
    name: String,
    #[command(flatten)]
    output: Output,
}

impl CreateOrganization {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let mut tx = database.pool().begin().await?;
        let made = organizations::create(&mut tx, &self.name, database.clock.now())
            .await
            .on_constraint("organizations_name_key", || {
                taken(format!("an organization {:?} exists already", self.name))
            })?;
        let keys = organizations::SunKeys::generate()?;
        organizations::set_sun_keys(&mut tx, &database.secrets(), made.id, &keys).await?;
        tx.commit().await?;
        self.output.show(&made)
    }
}

#[derive(Debug, Args)]
pub struct CreateBranch {
    /// Its name.
    #[arg(value_parser = name)]
    name: String,
    /// Organization, by name; may be left out while there is only one.
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
    /// Its time zone, as in the IANA database.
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    time_zone: String,
    #[command(flatten)]
    output: Output,
}

impl CreateBranch {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let mut tx = database.pool().begin().await?;
        let organization = find::organization(&mut tx, self.org.as_deref()).await?;
        let known = branches::is_time_zone(&mut tx, &self.time_zone).await?;
        ensure!(known, "--time-zone: {:?} is no time zone", self.time_zone);
        let now = database.clock.now();
        let made = branches::open(&mut tx, organization.id, &self.name, &self.time_zone, now)
            .await
            .on_constraint("branches_organization_name_key", || {
                taken(format!("{} has a branch {:?} already", organization.name, self.name))
            })?;
        tx.commit().await?;
        self.output.show(&made)
    }
}

#[derive(Debug, Args)]
pub struct CreateUser {
    /// E-mail address to log in with.
    email: Email,
    #[arg(long)]
    role: Role,
    /// Shown to others.
    #[arg(long, default_value = "")]
    name: String,
    /// Organization, by name; may be left out while there is only one.
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
    /// Branch where they work, by name or id; may be repeated. Only for staff, who need one.
    #[arg(long, value_name = "NAME|ID")]
    branch: Vec<String>,
    /// Read the password from stdin. It may also be in `NEW_USER_PASSWORD`.
    #[arg(long, conflicts_with = "generate_password")]
    password_stdin: bool,
    /// Make a password up and print it.
    #[arg(long)]
    generate_password: bool,
    #[command(flatten)]
    output: Output,
}

impl CreateUser {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        match self.role {
            Role::Staff => ensure!(!self.branch.is_empty(), "--branch is needed for staff"),
            role => ensure!(self.branch.is_empty(), "--branch is only for staff, not for {role}"),
        }
        let chosen = password::choose(self.password_stdin, self.generate_password)?;
        let password_hash = Some(database.passwords()?.hash(chosen.password.clone()).await?);
        let mut tx = database.pool().begin().await?;
        let mut places = Vec::new();
        for text in &self.branch {
            places.push(find::branch(&mut tx, text).await?);
        }
        let organization = match (&self.org, places.first()) {
            (None, Some(branch)) => branch.organization_id,
            (name, _) => find::organization(&mut tx, name.as_deref()).await?.id,
        };
        if let Some(other) = places.iter().find(|branch| branch.organization_id != organization) {
            bail!("--branch: {:?} belongs to another organization", other.name);
        }
        let (email, role) = (self.email.clone(), self.role);
        let new = NewUser { organization, email, name: self.name, role, password_hash };
        let user = accounts::insert(&mut tx, &new, database.clock.now())
            .await
            .on_constraint("users_email_key", || {
                taken(format!("{} has an account already", self.email))
            })?;
        for branch in &places {
            accounts::add_to_branch(&mut tx, user.id, branch.id).await?;
        }
        tx.commit().await?;
        let shown = chosen.is_generated.then_some(chosen.password);
        self.output.show(&json!({
            "id": user.id, "email": user.email, "role": user.role, "password": shown,
        }))
    }
}

/// A name that fits its column and shows as it is.
pub fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_plain = !text.chars().any(char::is_control);
    if is_plain && (1..=100).contains(&text.chars().count()) {
        Ok(text.to_owned())
    } else {
        Err("a name has 1 to 100 characters, none of them a control character".to_owned())
    }
}

/// The answer to a second try: nothing was changed.
pub fn taken(text: String) -> Error {
    Error::Internal(anyhow::anyhow!(text))
}
