//! Members: who may use which branch when, and what they are known by at a door. A `member_no` is given once and
//! never again; a card's number is kept only as a hash under the organization's key; every branch of the
//! organization is told of every change in the transaction that makes it.

mod credential_store;
pub mod import;
mod membership_store;
mod model;
mod roster;
mod roster_store;
mod store;
mod value;
mod window;

pub use model::{
    Credential, CredentialKind, Member, Membership, NewMember, Proof, Replace, Source, Terms,
};
pub use roster::tell_branch;
pub use roster_store::{hold, hold_alone};
pub use store::{Replaced, by_id, by_number};
pub use value::{DisplayName, NotValid, PhoneKey, Reason, Reference, Uid};
pub use window::{AccessWindow, Day, TimeOfDay};

use crate::domains::organizations;
use crate::http::{Error, OnConstraint, Result};
use crate::ids::{CredentialId, MemberId, MembershipId, OrganizationId};
use protocol::sync::roster::{CredentialKind as ToldKind, RosterKind};
use sqlx::PgConnection;
use time::OffsetDateTime;

/// More memberships than this nobody needs at a time, and a door would not be told of them.
pub const MAX_MEMBERSHIPS: usize = 16;
/// Cards and phones of one member.
pub const MAX_CREDENTIALS: usize = 16;

/// Makes a member; without a membership they may not come in yet.
pub async fn create(
    db: &mut PgConnection,
    organization: OrganizationId,
    new: &NewMember,
    now: OffsetDateTime,
) -> Result<Member> {
    hold(db, organization).await?;
    let member = store::insert(db, organization, new, now)
        .await
        .on_constraint("members_organization_reference_key", || {
            Error::Conflict("reference_taken")
        })?;
    roster::tell_members(db, organization, &[member.id]).await?;
    Ok(member)
}

/// Changes what a member is called.
pub async fn update(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: MemberId,
    replaced: &Replaced,
    now: OffsetDateTime,
) -> Result<Member> {
    lock(db, organization, id).await?;
    let member = store::update(db, id, replaced, now)
        .await
        .on_constraint("members_organization_reference_key", || {
            Error::Conflict("reference_taken")
        })?;
    roster::tell_members(db, organization, &[id]).await?;
    Ok(member)
}

/// Keeps a member out everywhere, for a reason, or lets them in again.
pub async fn set_blocked(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: MemberId,
    reason: Option<&Reason>,
    now: OffsetDateTime,
) -> Result<Member> {
    lock(db, organization, id).await?;
    let member = store::set_blocked(db, id, reason, now).await?;
    roster::tell_members(db, organization, &[id]).await?;
    Ok(member)
}

/// Removes a member with their cards and phones. Their number is not given again.
pub async fn remove(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: MemberId,
    now: OffsetDateTime,
) -> Result<()> {
    lock(db, organization, id).await?;
    let credentials = credential_store::revoke_all(db, id, now).await?;
    store::set_removed(db, id, now).await?;
    roster::tell_credentials(db, organization, &credentials).await?;
    Ok(roster::tell_members(db, organization, &[id]).await?)
}

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
    lock(db, organization, member).await?;
    check(db, organization, terms).await?;
    if membership_store::of_member(db, member).await?.len() >= MAX_MEMBERSHIPS {
        return Err(Error::Conflict("too_many_memberships"));
    }
    let id = membership_store::insert(db, member, terms, source, now).await?;
    roster::tell_members(db, organization, &[member]).await?;
    membership(db, member, id).await
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
    lock(db, organization, member).await?;
    check(db, organization, terms).await?;
    membership_store::update(db, id, terms, now).await?;
    roster::tell_members(db, organization, &[member]).await?;
    membership(db, member, id).await
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
    lock(db, organization, member).await?;
    membership_store::set_frozen(db, id, reason, now).await?;
    roster::tell_members(db, organization, &[member]).await?;
    membership(db, member, id).await
}

/// Takes a membership away.
pub async fn end_membership(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: MembershipId,
) -> Result<()> {
    let member = membership_store::holder(db, organization, id).await?;
    lock(db, organization, member).await?;
    membership_store::delete(db, id).await?;
    Ok(roster::tell_members(db, organization, &[member]).await?)
}

/// Cards and phones of a member that are not revoked.
pub async fn credentials(db: &mut PgConnection, member: MemberId) -> Result<Vec<Credential>> {
    Ok(credential_store::of_member(db, member).await?)
}

/// Gives a member a card or a phone.
pub async fn add_credential(
    db: &mut PgConnection,
    organization: OrganizationId,
    member: MemberId,
    proof: &Proof,
    label: Option<&str>,
    now: OffsetDateTime,
) -> Result<Credential> {
    lock(db, organization, member).await?;
    if credential_store::of_member(db, member).await?.len() >= MAX_CREDENTIALS {
        return Err(Error::Conflict("too_many_credentials"));
    }
    let key = organizations::credential_key(db, organization).await?;
    let uid_hash = proof.uid_hash(&key);
    let new = credential_store::NewCredential { organization, member, proof, uid_hash, label };
    let credential = credential_store::insert(db, &new, now)
        .await
        .on_constraint("credentials_uid_hash_key", taken)
        .on_constraint("credentials_public_key_key", taken)?;
    roster::tell_credentials(db, organization, &[credential.id]).await?;
    Ok(credential)
}

/// Takes over a card that staff gave out at a branch.
pub async fn adopt_card(
    db: &mut PgConnection,
    organization: OrganizationId,
    (member, id): (MemberId, CredentialId),
    kind: &ToldKind,
    now: OffsetDateTime,
) -> Result<()> {
    lock(db, organization, member).await?;
    let card = match kind {
        ToldKind::NfcUid { uid_hash } => ("nfc_uid", uid_hash),
        ToldKind::Sun { uid_hash } => ("sun", uid_hash),
        ToldKind::Phone { .. } => return Err(Error::Conflict("no_card")),
    };
    let is_adopted = credential_store::adopt(db, organization, (member, id), card, now).await?;
    // Of a card that is somebody else's the branch is told that it is gone.
    if !is_adopted {
        let gone = RosterKind::Credential.removed(id.0);
        roster::tell_all(db, organization, &gone).await?;
        return Err(Error::Conflict("credential_taken"));
    }
    Ok(roster::tell_credentials(db, organization, &[id]).await?)
}

/// Switches a card or phone off for a while, or on again.
pub async fn set_credential_enabled(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: CredentialId,
    enabled: bool,
) -> Result<Credential> {
    let member = credential_store::holder(db, organization, id).await?;
    lock(db, organization, member).await?;
    let credential = credential_store::set_enabled(db, id, enabled).await?;
    roster::tell_credentials(db, organization, &[id]).await?;
    Ok(credential)
}

/// Takes a card or phone away for good.
pub async fn revoke_credential(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: CredentialId,
    now: OffsetDateTime,
) -> Result<()> {
    let member = credential_store::holder(db, organization, id).await?;
    lock(db, organization, member).await?;
    credential_store::revoke(db, id, now).await?;
    Ok(roster::tell_credentials(db, organization, &[id]).await?)
}

fn taken() -> Error {
    Error::Conflict("credential_taken")
}

/// First the organization, then the member: everybody locks in this order.
async fn lock(db: &mut PgConnection, organization: OrganizationId, member: MemberId) -> Result<()> {
    hold(db, organization).await?;
    Ok(store::lock(db, organization, member).await?)
}

async fn membership(
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
        let unique: std::collections::HashSet<_> = branches.iter().collect();
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
