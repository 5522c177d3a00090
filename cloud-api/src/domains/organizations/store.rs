//! SQL of the domain.

use super::model::Organization;
use crate::ids::OrganizationId;
use sqlx::{PgConnection, query_as};
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
