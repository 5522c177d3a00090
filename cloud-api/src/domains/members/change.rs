//! What changes members and what they carry. Everybody locks the organization first, then the member; branches are told
//! last.

use super::model::{Credential, Member, NewMember, Proof};
use super::value::Reason;
use super::{credential_store, roster, roster_store, store};
use crate::domains::organizations;
use crate::http::{Error, OnConstraint, Result};
use crate::ids::{CredentialId, MemberId, OrganizationId};
use protocol::sync::roster::{CredentialKind as ToldKind, RosterKind};
use sqlx::PgConnection;
use time::OffsetDateTime;

/// A member whom nobody else changes until the transaction ends: what branches are told is composed from all that
/// belongs to them.
pub(super) struct Held<'a> {
    pub db: &'a mut PgConnection,
    pub organization: OrganizationId,
    pub member: MemberId,
}

impl<'a> Held<'a> {
    pub async fn take(
        db: &'a mut PgConnection,
        organization: OrganizationId,
        member: MemberId,
    ) -> Result<Self> {
        roster_store::hold(db, organization).await?;
        store::lock(db, organization, member).await?;
        Ok(Self { db, organization, member })
    }

    /// Tells all branches how the member is now.
    pub async fn tell(self) -> Result<()> {
        Ok(roster::tell_members(self.db, self.organization, &[self.member]).await?)
    }

    /// Tells all branches how some of the member's credentials are now.
    pub async fn tell_credentials(self, credentials: &[CredentialId]) -> Result<()> {
        Ok(roster::tell_credentials(self.db, self.organization, credentials).await?)
    }
}

/// Makes a member; without a membership they may not come in yet.
pub async fn create(
    db: &mut PgConnection,
    organization: OrganizationId,
    new: &NewMember,
    now: OffsetDateTime,
) -> Result<Member> {
    roster_store::hold(db, organization).await?;
    let inserted = store::insert(db, organization, new, now).await;
    let id = inserted.on_constraint(REFERENCE_KEY, reference_taken)?;
    roster::tell_members(db, organization, &[id]).await?;
    Ok(store::by_id(db, organization, id).await?)
}

/// Changes what a member is called.
pub async fn update(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: MemberId,
    named: &NewMember,
    now: OffsetDateTime,
) -> Result<Member> {
    let held = Held::take(db, organization, id).await?;
    let updated = store::update(held.db, id, named, now).await;
    updated.on_constraint(REFERENCE_KEY, reference_taken)?;
    held.tell().await?;
    Ok(store::by_id(db, organization, id).await?)
}

const REFERENCE_KEY: &str = "members_organization_reference_key";

fn reference_taken() -> Error {
    Error::Conflict("reference_taken")
}

/// Keeps a member out everywhere, for a reason, or lets them in again.
pub async fn set_blocked(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: MemberId,
    reason: Option<&Reason>,
    now: OffsetDateTime,
) -> Result<Member> {
    let held = Held::take(db, organization, id).await?;
    store::set_blocked(held.db, id, reason, now).await?;
    held.tell().await?;
    Ok(store::by_id(db, organization, id).await?)
}

/// Removes a member with their cards and phones. Their number is not given again.
pub async fn remove(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: MemberId,
    now: OffsetDateTime,
) -> Result<()> {
    let held = Held::take(db, organization, id).await?;
    let credentials = credential_store::revoke_all(held.db, id, now).await?;
    store::set_removed(held.db, id, now).await?;
    held.tell_credentials(&credentials).await?;
    Ok(roster::tell_members(db, organization, &[id]).await?)
}

/// Cards and phones of one member.
const MAX_CREDENTIALS: usize = 16;

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
    let held = Held::take(db, organization, member).await?;
    if credential_store::of_member(held.db, member).await?.len() >= MAX_CREDENTIALS {
        return Err(Error::Conflict("too_many_credentials"));
    }
    let key = organizations::credential_key(held.db, organization).await?;
    let uid_hash = proof.uid_hash(&key);
    let new = credential_store::NewCredential { organization, member, proof, uid_hash, label };
    let id = credential_store::insert(held.db, &new, now)
        .await
        .on_constraint("credentials_uid_hash_key", taken)
        .on_constraint("credentials_public_key_key", taken)?;
    held.tell_credentials(&[id]).await?;
    Ok(credential_store::by_id(db, organization, id).await?)
}

fn taken() -> Error {
    Error::Conflict("credential_taken")
}

/// Takes over a card that staff gave out at a branch.
pub async fn adopt_card(
    db: &mut PgConnection,
    organization: OrganizationId,
    (member, id): (MemberId, CredentialId),
    kind: &ToldKind,
    now: OffsetDateTime,
) -> Result<()> {
    let held = Held::take(db, organization, member).await?;
    let card = match kind {
        ToldKind::NfcUid { uid_hash } => ("nfc_uid", uid_hash),
        ToldKind::Sun { uid_hash } => ("sun", uid_hash),
        ToldKind::Phone { .. } => return Err(Error::Conflict("no_card")),
    };
    let card = credential_store::adopt(held.db, organization, (member, id), card, now);
    if card.await? {
        return held.tell_credentials(&[id]).await;
    }
    // Of a card that is somebody else's the branch is told that it is gone.
    let gone = RosterKind::Credential.removed(id.0);
    roster::tell_all(db, organization, &gone).await?;
    Err(taken())
}

/// Switches a card or phone off for a while, or on again.
pub async fn set_credential_enabled(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: CredentialId,
    enabled: bool,
) -> Result<Credential> {
    let member = credential_store::by_id(db, organization, id).await?.member_id;
    let held = Held::take(db, organization, member).await?;
    credential_store::set_enabled(held.db, id, enabled).await?;
    held.tell_credentials(&[id]).await?;
    Ok(credential_store::by_id(db, organization, id).await?)
}

/// Takes a card or phone away for good.
pub async fn revoke_credential(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: CredentialId,
    now: OffsetDateTime,
) -> Result<()> {
    let member = credential_store::by_id(db, organization, id).await?.member_id;
    let held = Held::take(db, organization, member).await?;
    credential_store::revoke(held.db, id, now).await?;
    held.tell_credentials(&[id]).await
}
