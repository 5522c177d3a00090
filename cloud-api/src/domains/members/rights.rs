//! What changes memberships: where and when somebody may come in.

use super::change::Held;
use super::membership_store;
use super::model::{Membership, Source, Terms};
use super::value::Reason;
use crate::http::{Error, Result};
use crate::ids::{MemberId, MembershipId, OrganizationId};
use sqlx::PgConnection;
use std::collections::HashSet;
use time::OffsetDateTime;

/// More memberships than this nobody needs at a time, and a door would not be told of them.
const MAX_MEMBERSHIPS: usize = 16;

/// Memberships of a member, those that last longest first.
pub async fn memberships(db: &mut PgConnection, member: MemberId) -> Result<Vec<Membership>> {
    Ok(membership_store::of_member(db, member).await?)
}

/// Gives a member a right to use branches.
pub async fn add_membership(
    db: &mut PgConnection,
    organization: OrganizationId,
    member: MemberId,
    terms: &Terms,
    source: Source,
    now: OffsetDateTime,
) -> Result<Membership> {
    let held = Held::take(db, organization, member).await?;
    check(held.db, organization, terms).await?;
    if membership_store::of_member(held.db, member).await?.len() >= MAX_MEMBERSHIPS {
        return Err(Error::Conflict("too_many_memberships"));
    }
    let id = membership_store::insert(held.db, member, terms, source, now).await?;
    held.tell().await?;
    one(db, member, id).await
}

/// Changes where and when a membership counts.
pub async fn change_membership(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: MembershipId,
    terms: &Terms,
    now: OffsetDateTime,
) -> Result<Membership> {
    let member = membership_store::holder(db, organization, id).await?;
    let held = Held::take(db, organization, member).await?;
    check(held.db, organization, terms).await?;
    membership_store::update(held.db, id, terms, now).await?;
    held.tell().await?;
    one(db, member, id).await
}

/// Pauses a membership, for a reason, or lets it go on.
pub async fn set_frozen(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: MembershipId,
    reason: Option<&Reason>,
    now: OffsetDateTime,
) -> Result<Membership> {
    let member = membership_store::holder(db, organization, id).await?;
    let held = Held::take(db, organization, member).await?;
    membership_store::set_frozen(held.db, id, reason, now).await?;
    held.tell().await?;
    one(db, member, id).await
}

/// Takes a membership away.
pub async fn end_membership(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: MembershipId,
) -> Result<()> {
    let member = membership_store::holder(db, organization, id).await?;
    let held = Held::take(db, organization, member).await?;
    membership_store::delete(held.db, id).await?;
    held.tell().await
}

/// One of a member's.
pub(super) async fn one(
    db: &mut PgConnection,
    member: MemberId,
    id: MembershipId,
) -> Result<Membership> {
    let all = membership_store::of_member(db, member).await?;
    all.into_iter().find(|membership| membership.id == id).ok_or(Error::NotFound)
}

/// What types cannot say.
async fn check(db: &mut PgConnection, organization: OrganizationId, terms: &Terms) -> Result<()> {
    let wrong = |field: &'static str, message: &str| {
        Err(Error::Field { field, code: "invalid", message: message.to_owned() })
    };
    if terms.valid_until.is_some_and(|until| until < terms.valid_from) {
        return wrong("valid_until", "is before valid_from");
    }
    if let Some(branches) = &terms.branches {
        let unique: HashSet<_> = branches.iter().collect();
        if branches.is_empty() || unique.len() < branches.len() {
            return wrong("branch_ids", "needs at least one branch, and none twice");
        }
        let own = membership_store::own_branches(db, organization, branches).await?;
        if own.unsigned_abs() != branches.len() as u64 {
            return wrong("branch_ids", "names a branch that there is not");
        }
    }
    Ok(())
}
