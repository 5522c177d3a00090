//! SQL of the domain.

use super::model::Organization;
use crate::ids::{BranchId, OrganizationId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

pub async fn insert(
    db: &mut PgConnection,
    name: &str,
    credential_key: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<Organization> {
    query_as!(
        Organization,
        "INSERT INTO organizations (id, name, credential_key, created_at) VALUES ($1, $2, $3, $4)
         RETURNING id, name",
        OrganizationId::new().0,
        name,
        credential_key,
        now,
    )
    .fetch_one(db)
    .await
}

pub async fn by_name(db: &mut PgConnection, name: &str) -> sqlx::Result<Option<Organization>> {
    query_as!(Organization, "SELECT id, name FROM organizations WHERE name = $1", name)
        .fetch_optional(db)
        .await
}

/// The organization, if there is exactly one.
pub async fn only(db: &mut PgConnection) -> sqlx::Result<Option<Organization>> {
    let mut found =
        query_as!(Organization, "SELECT id, name FROM organizations LIMIT 2").fetch_all(db).await?;
    Ok(if found.len() == 1 { found.pop() } else { None })
}

pub async fn by_id(db: &mut PgConnection, id: OrganizationId) -> sqlx::Result<Organization> {
    query_as!(Organization, "SELECT id, name FROM organizations WHERE id = $1", id.0)
        .fetch_one(db)
        .await
}

pub async fn rename(db: &mut PgConnection, id: OrganizationId, name: &str) -> sqlx::Result<()> {
    query!("UPDATE organizations SET name = $2 WHERE id = $1", id.0, name).execute(db).await?;
    Ok(())
}

pub async fn exists(db: &mut PgConnection, id: OrganizationId) -> sqlx::Result<bool> {
    query_scalar!(r#"SELECT EXISTS (SELECT FROM organizations WHERE id = $1) AS "exists!""#, id.0,)
        .fetch_one(db)
        .await
}

pub async fn credential_key(
    db: &mut PgConnection,
    organization: OrganizationId,
) -> sqlx::Result<Vec<u8>> {
    query_scalar!("SELECT credential_key FROM organizations WHERE id = $1", organization.0)
        .fetch_one(db)
        .await
}

/// Sealed.
pub async fn sun_keys(
    db: &mut PgConnection,
    organization: OrganizationId,
) -> sqlx::Result<Option<Vec<u8>>> {
    query_scalar!("SELECT sun_keys FROM organizations WHERE id = $1", organization.0)
        .fetch_one(db)
        .await
}

/// Its row stays locked until the transaction ends, so that no branch is opened meanwhile.
pub async fn set_sun_keys(
    db: &mut PgConnection,
    organization: OrganizationId,
    sealed: &[u8],
) -> sqlx::Result<()> {
    query!("UPDATE organizations SET sun_keys = $2 WHERE id = $1", organization.0, sealed)
        .execute(db)
        .await?;
    Ok(())
}

/// One secret per key that seals.
pub async fn sealed_samples(db: &mut PgConnection) -> sqlx::Result<Vec<Vec<u8>>> {
    query_scalar!(
        r#"SELECT DISTINCT ON (substring(sun_keys FROM 2 FOR 4)) sun_keys AS "sealed!"
           FROM organizations WHERE sun_keys IS NOT NULL"#,
    )
    .fetch_all(db)
    .await
}

/// Branches of an organization, in the order in which they are told.
pub async fn branches(
    db: &mut PgConnection,
    organization: OrganizationId,
) -> sqlx::Result<Vec<BranchId>> {
    query_scalar!(
        r#"SELECT id FROM branches WHERE organization_id = $1 ORDER BY id"#,
        organization.0,
    )
    .fetch_all(db)
    .await
}
