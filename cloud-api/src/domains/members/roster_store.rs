//! SQL of what branches are told: reads only.

use super::model::CredentialKind;
use crate::ids::{BranchId, CredentialId, MemberId, OrganizationId};
use sqlx::{PgConnection, query, query_as, query_scalar};

/// A branch that is told.
pub struct Place {
    pub id: BranchId,
    pub time_zone: String,
}

/// Who is told about.
pub struct Person {
    pub id: MemberId,
    pub member_no: i64,
    pub display_name: String,
    pub blocked_reason: Option<String>,
    pub is_removed: bool,
}

/// A card or phone that is told about.
pub struct Carried {
    pub id: CredentialId,
    pub member_id: MemberId,
    pub kind: CredentialKind,
    pub uid_hash: Option<Vec<u8>>,
    pub public_key: Option<Vec<u8>>,
    pub enabled: bool,
    pub is_revoked: bool,
}

/// Keeps branches from being opened meanwhile, which are told of all members when they are.
pub async fn hold(db: &mut PgConnection, organization: OrganizationId) -> sqlx::Result<()> {
    query!("SELECT id FROM organizations WHERE id = $1 FOR SHARE", organization.0)
        .fetch_one(db)
        .await?;
    Ok(())
}

/// Keeps everybody else from changing members meanwhile.
pub async fn hold_alone(db: &mut PgConnection, organization: OrganizationId) -> sqlx::Result<()> {
    query!("SELECT id FROM organizations WHERE id = $1 FOR NO KEY UPDATE", organization.0)
        .fetch_one(db)
        .await?;
    Ok(())
}

/// In the order in which they are told.
pub async fn places(
    db: &mut PgConnection,
    organization: OrganizationId,
) -> sqlx::Result<Vec<Place>> {
    query_as!(
        Place,
        "SELECT id, time_zone FROM branches WHERE organization_id = $1 ORDER BY id",
        organization.0,
    )
    .fetch_all(db)
    .await
}

pub async fn people(db: &mut PgConnection, members: &[MemberId]) -> sqlx::Result<Vec<Person>> {
    let members: Vec<_> = members.iter().map(|member| member.0).collect();
    query_as!(
        Person,
        r#"SELECT id, member_no, display_name, blocked_reason,
                  removed_at IS NOT NULL AS "is_removed!"
         FROM members WHERE id = ANY($1) ORDER BY id"#,
        &members,
    )
    .fetch_all(db)
    .await
}

pub async fn keys(
    db: &mut PgConnection,
    credentials: &[CredentialId],
) -> sqlx::Result<Vec<Carried>> {
    let credentials: Vec<_> = credentials.iter().map(|credential| credential.0).collect();
    query_as!(
        Carried,
        r#"SELECT id, member_id, kind AS "kind: CredentialKind", uid_hash, public_key, enabled,
                  revoked_at IS NOT NULL AS "is_revoked!"
         FROM credentials WHERE id = ANY($1) ORDER BY id"#,
        &credentials,
    )
    .fetch_all(db)
    .await
}

pub async fn all_members(
    db: &mut PgConnection,
    organization: OrganizationId,
) -> sqlx::Result<Vec<MemberId>> {
    query_scalar!(
        "SELECT id FROM members WHERE organization_id = $1 AND removed_at IS NULL ORDER BY id",
        organization.0,
    )
    .fetch_all(db)
    .await
}

pub async fn all_credentials(
    db: &mut PgConnection,
    organization: OrganizationId,
) -> sqlx::Result<Vec<CredentialId>> {
    query_scalar!(
        "SELECT id FROM credentials WHERE organization_id = $1 AND revoked_at IS NULL ORDER BY id",
        organization.0,
    )
    .fetch_all(db)
    .await
}
