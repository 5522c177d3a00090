//! Making a user a member of a branch.

use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::members::{self, DisplayName, Member, NewMember, Source, Terms};
use crate::domains::{branches, users};
use crate::http::{Caller, Origin, Result, parse};
use crate::ids::{BranchId, JoinRequestId, OrganizationId, UserId};
use axum::http::StatusCode;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// Gives a user a right to use a branch from today on, as the member who they are; unless they have one there.
pub async fn admit(
    db: &mut PgConnection,
    organization: OrganizationId,
    user: UserId,
    branch: BranchId,
    now: OffsetDateTime,
) -> Result<()> {
    let member = member(db, organization, user, now).await?;
    let today = branches::today(db, Some(branch), now).await?;
    let has_it = members::memberships(db, member.id).await?.into_iter().any(|one| {
        let is_there = one.branch_ids.is_none_or(|ids| ids.contains(&branch));
        is_there && one.valid_until.is_none_or(|until| until >= today)
    });
    if has_it {
        return Ok(());
    }
    let terms = Terms {
        branches: Some(vec![branch]),
        valid_from: today,
        valid_until: None,
        windows: Vec::new(),
    };
    members::add_membership(db, organization, member.id, &terms, Source::App, now).await?;
    Ok(users::log_activity(db, user, "branch_joined", now).await?)
}

/// What staff say to who wants to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Approved,
    Declined,
}

/// Decides about a request that the caller sees.
pub async fn decide(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    id: JoinRequestId,
    decision: Decision,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let (user, branch) = store::take(&mut tx, caller, id).await?;
    let action = match decision {
        Decision::Approved => {
            admit(&mut tx, caller.organization, user, branch, now).await?;
            "branch.join_approved"
        }
        Decision::Declined => "branch.join_declined",
    };
    audit::record(&mut tx, &Entry::asked(action, caller, origin).on(user), now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who they are, who has their confirmed address and no account, or somebody new.
async fn member(
    db: &mut PgConnection,
    organization: OrganizationId,
    user: UserId,
    now: OffsetDateTime,
) -> Result<Member> {
    let applicant = store::applicant(db, user).await?;
    if let Some(member) = members::of_user(db, organization, user).await? {
        return Ok(member);
    }
    let known = match &applicant.email {
        Some(email) => members::without_account(db, organization, email).await?,
        None => None,
    };
    let id = if let Some(id) = known {
        id
    } else {
        let name: String = applicant.name.chars().take(100).collect();
        let new = NewMember {
            display_name: parse::<DisplayName>("name", &name)?,
            reference: None,
            email: applicant.email.as_deref().map(|text| parse("email", text)).transpose()?,
            source: Source::App,
        };
        members::create(db, organization, &new, now).await?.id
    };
    members::set_user(db, id, user).await?;
    Ok(members::by_id(db, organization, id).await?)
}
