//! Whom of the members a caller sees, and which of their rights they may change. What is out of sight is not there.

use super::model::{Credential, Member, Membership, Terms};
use super::{credential_store, membership_store, rights, store};
use crate::http::{Caller, Error, Result};
use crate::ids::{BranchId, CredentialId, MemberId, MembershipId};
use sqlx::PgConnection;

/// A member whom the caller sees.
pub async fn member(db: &mut PgConnection, caller: &Caller, id: MemberId) -> Result<Member> {
    let member = store::by_id(db, caller.organization, id).await?;
    if store::is_seen(db, id, caller.is_admin(), &caller.branches).await? {
        Ok(member)
    } else {
        Err(Error::NotFound)
    }
}

/// The member who the caller is.
pub async fn of_caller(db: &mut PgConnection, caller: &Caller) -> Result<Member> {
    let member = store::of_user(db, caller.organization, caller.user).await?;
    member.ok_or(Error::Conflict("not_a_member"))
}

/// A membership of a member whom the caller sees.
pub async fn membership(
    db: &mut PgConnection,
    caller: &Caller,
    id: MembershipId,
) -> Result<Membership> {
    let holder = membership_store::holder(db, caller.organization, id).await?;
    member(db, caller, holder).await?;
    rights::one(db, holder, id).await
}

/// A card or phone of a member whom the caller sees.
pub async fn credential(
    db: &mut PgConnection,
    caller: &Caller,
    id: CredentialId,
) -> Result<Credential> {
    let credential = credential_store::by_id(db, caller.organization, id).await?;
    member(db, caller, credential.member_id).await?;
    Ok(credential)
}

/// Staff give rights at their own branches only; rights that count elsewhere too are the admins'.
pub fn may_give(caller: &Caller, terms: &Terms) -> Result<()> {
    may_change(caller, terms.branches.as_deref())
}

/// The same for a right that is there.
pub fn may_change(caller: &Caller, branches: Option<&[BranchId]>) -> Result<()> {
    let is_own = |branch: &BranchId| caller.branches.contains(branch);
    if caller.is_admin() || branches.is_some_and(|branches| branches.iter().all(is_own)) {
        Ok(())
    } else {
        Err(Error::Forbidden)
    }
}
