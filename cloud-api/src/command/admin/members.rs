//! Members, what they may use, and why not.

use super::Output;
use super::find::{self, MemberArgument};
use super::people::taken;
use crate::command::Database;
use crate::domains::accounts::Email;
use crate::domains::members::{
    self, DisplayName, Member, NewMember, Reason, Reference, Source, Terms,
};
use crate::domains::{branches, organizations};
use crate::http::Error;
use crate::ids::{MembershipId, OrganizationId};
use clap::Args;
use serde_json::json;
use sqlx::PgConnection;
use time::Date;
use time::macros::format_description;

#[derive(Debug, Args)]
pub struct CreateMember {
    /// Shown at the door and to staff.
    name: DisplayName,
    /// What the operator's own books call them.
    #[arg(long)]
    reference: Option<Reference>,
    #[arg(long)]
    email: Option<Email>,
    /// Organization, by name; may be left out while there is only one.
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
    #[command(flatten)]
    terms: TermsArguments,
    /// Give them no membership yet.
    #[arg(long, conflicts_with_all = ["branch", "valid_from", "valid_until"])]
    no_membership: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub struct AddMembership {
    #[command(flatten)]
    member: MemberArgument,
    #[command(flatten)]
    terms: TermsArguments,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub struct BlockMember {
    #[command(flatten)]
    member: MemberArgument,
    /// Why, as a code that branches are told, e.g. `payment`.
    #[arg(long)]
    reason: Reason,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub struct UnblockMember {
    #[command(flatten)]
    member: MemberArgument,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub struct RemoveMember {
    #[command(flatten)]
    member: MemberArgument,
}

#[derive(Debug, Args)]
pub struct ShowMember {
    #[command(flatten)]
    member: MemberArgument,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub struct FreezeMembership {
    #[command(flatten)]
    member: MemberArgument,
    /// Which one; may be left out while the member has only one.
    #[arg(long, value_name = "ID")]
    membership: Option<MembershipId>,
    /// Why, as a code, e.g. `illness`; without it the membership goes on.
    #[arg(long)]
    reason: Option<Reason>,
    #[command(flatten)]
    output: Output,
}

/// Where and when a membership counts.
#[derive(Debug, Args)]
struct TermsArguments {
    /// Branch, by name or id; may be repeated. Without one, all branches.
    #[arg(long, value_name = "NAME|ID")]
    branch: Vec<String>,
    /// First day; today, if left out.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    valid_from: Option<Date>,
    /// Last day; without it, no end.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    valid_until: Option<Date>,
}

impl CreateMember {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let now = database.clock.now();
        let mut tx = database.pool().begin().await?;
        let organization = find::organization(&mut tx, self.org.as_deref()).await?.id;
        let (display_name, reference, email) = (self.name, self.reference, self.email);
        let new = NewMember { display_name, reference, email, source: Source::Desk };
        let member = members::create(&mut tx, organization, &new, now).await;
        let member = member.map_err(|error| match error {
            Error::Conflict("reference_taken") => {
                taken("--reference: another member has it".to_owned())
            }
            error => error,
        })?;
        if !self.no_membership {
            let terms = self.terms.find(&mut tx, organization, database).await?;
            members::add_membership(&mut tx, organization, member.id, &terms, Source::Desk, now)
                .await?;
        }
        tx.commit().await?;
        self.output.show(&member)
    }
}

impl AddMembership {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let now = database.clock.now();
        let mut tx = database.pool().begin().await?;
        let Member { id, organization_id, .. } = self.member.find(&mut tx).await?;
        let terms = self.terms.find(&mut tx, organization_id, database).await?;
        let added =
            members::add_membership(&mut tx, organization_id, id, &terms, Source::Desk, now)
                .await?;
        tx.commit().await?;
        self.output.show(&added)
    }
}

impl BlockMember {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        set_blocked(database, &self.member, Some(&self.reason), &self.output).await
    }
}

impl UnblockMember {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        set_blocked(database, &self.member, None, &self.output).await
    }
}

impl RemoveMember {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let mut tx = database.pool().begin().await?;
        let Member { id, organization_id, .. } = self.member.find(&mut tx).await?;
        members::remove(&mut tx, organization_id, id, database.clock.now()).await?;
        Ok(tx.commit().await?)
    }
}

impl ShowMember {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let mut db = database.pool().acquire().await?;
        let member = self.member.find(&mut db).await?;
        let memberships = members::memberships(&mut db, member.id).await?;
        let credentials = members::credentials(&mut db, member.id).await?;
        self.output.show(
            &json!({ "member": member, "memberships": memberships, "credentials": credentials }),
        )
    }
}

impl FreezeMembership {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let mut tx = database.pool().begin().await?;
        let Member { id, organization_id, .. } = self.member.find(&mut tx).await?;
        let mut held = members::memberships(&mut tx, id).await?.into_iter().map(|one| one.id);
        let which = match (self.membership, held.next(), held.next()) {
            (Some(named), ..) => named,
            (None, Some(only), None) => only,
            (None, ..) => anyhow::bail!("--membership is needed unless there is exactly one"),
        };
        let (reason, now) = (self.reason.as_ref(), database.clock.now());
        let changed = members::set_frozen(&mut tx, organization_id, which, reason, now).await?;
        tx.commit().await?;
        self.output.show(&changed)
    }
}

impl TermsArguments {
    async fn find(
        self,
        db: &mut PgConnection,
        organization: OrganizationId,
        database: &Database,
    ) -> anyhow::Result<Terms> {
        let mut places = Vec::new();
        for text in &self.branch {
            places.push(find::branch(db, text).await?.id);
        }
        let valid_from = if let Some(day) = self.valid_from {
            day
        } else {
            let place = match places.first() {
                Some(place) => Some(*place),
                None => organizations::branches(db, organization).await?.first().copied(),
            };
            branches::today(db, place, database.clock.now()).await?
        };
        let branches = (!places.is_empty()).then_some(places);
        Ok(Terms { branches, valid_from, valid_until: self.valid_until, windows: Vec::new() })
    }
}

async fn set_blocked(
    database: &Database,
    member: &MemberArgument,
    reason: Option<&Reason>,
    output: &Output,
) -> anyhow::Result<()> {
    let mut tx = database.pool().begin().await?;
    let Member { id, organization_id, .. } = member.find(&mut tx).await?;
    let now = database.clock.now();
    let member = members::set_blocked(&mut tx, organization_id, id, reason, now).await?;
    tx.commit().await?;
    output.show(&member)
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| "is no date like 2026-12-31".to_owned())
}
