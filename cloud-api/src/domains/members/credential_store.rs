//! SQL of credentials.

use super::model::{Credential, CredentialKind, Proof};
use crate::ids::{CredentialId, MemberId, OrganizationId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

/// What makes a credential.
pub struct NewCredential<'a> {
    pub organization: OrganizationId,
    pub member: MemberId,
    pub proof: &'a Proof,
    pub uid_hash: Option<[u8; 32]>,
    pub label: Option<&'a str>,
}

pub async fn insert(
    db: &mut PgConnection,
    new: &NewCredential<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<CredentialId> {
    query_scalar!(
        "INSERT INTO credentials
             (id, organization_id, member_id, kind, uid_hash, public_key, label, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
        CredentialId::new().0,
        new.organization.0,
        new.member.0,
        new.proof.kind().name(),
        new.uid_hash.as_ref().map(<[u8; 32]>::as_slice),
        new.proof.public_key(),
        new.label,
        now,
    )
    .fetch_one(db)
    .await
}

/// One that is not revoked.
pub async fn by_id(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: CredentialId,
) -> sqlx::Result<Credential> {
    query_as!(
        Credential,
        r#"SELECT id, member_id, kind AS "kind: CredentialKind", label, enabled, created_at
         FROM credentials WHERE id = $1 AND organization_id = $2 AND revoked_at IS NULL"#,
        id.0,
        organization.0,
    )
    .fetch_one(db)
    .await
}

pub async fn set_enabled(
    db: &mut PgConnection,
    id: CredentialId,
    enabled: bool,
) -> sqlx::Result<()> {
    query!(
        "UPDATE credentials SET enabled = $2 WHERE id = $1 AND revoked_at IS NULL",
        id.0,
        enabled,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn revoke(
    db: &mut PgConnection,
    id: CredentialId,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE credentials SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        id.0,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Which ones were revoked.
pub async fn revoke_all(
    db: &mut PgConnection,
    member: MemberId,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<CredentialId>> {
    query_scalar!(
        "UPDATE credentials SET revoked_at = $2 WHERE member_id = $1 AND revoked_at IS NULL
         RETURNING id",
        member.0,
        now,
    )
    .fetch_all(db)
    .await
}

/// Those that are not revoked, oldest first.
pub async fn of_member(db: &mut PgConnection, member: MemberId) -> sqlx::Result<Vec<Credential>> {
    query_as!(
        Credential,
        r#"SELECT id, member_id, kind AS "kind: CredentialKind", label, enabled, created_at
         FROM credentials WHERE member_id = $1 AND revoked_at IS NULL ORDER BY id"#,
        member.0,
    )
    .fetch_all(db)
    .await
}

/// A card that was given out at a branch, under the id it got there. `false` if it is somebody's.
pub async fn adopt(
    db: &mut PgConnection,
    organization: OrganizationId,
    (member, id): (MemberId, CredentialId),
    (kind, uid_hash): (&str, &[u8; 32]),
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    query!(
        "INSERT INTO credentials (id, organization_id, member_id, kind, uid_hash, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        id.0,
        organization.0,
        member.0,
        kind,
        uid_hash.as_slice(),
        now,
    )
    .execute(&mut *db)
    .await?;
    let owner = query_scalar!("SELECT member_id FROM credentials WHERE id = $1", id.0);
    Ok(owner.fetch_optional(db).await? == Some(member))
}
