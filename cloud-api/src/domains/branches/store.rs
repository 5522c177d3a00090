//! SQL of the domain.

use super::model::Branch;
use crate::ids::{BranchId, OrganizationId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

/// Numbers are given one after the other under a lock on the last, so none is given twice.
pub async fn insert(
    db: &mut PgConnection,
    organization: OrganizationId,
    name: &str,
    time_zone: &str,
    now: OffsetDateTime,
) -> sqlx::Result<Branch> {
    query!("SELECT pg_advisory_xact_lock($1)", SITE_NO_LOCK).execute(&mut *db).await?;
    query_as!(
        Branch,
        "INSERT INTO branches (id, organization_id, name, site_no, time_zone, created_at)
         SELECT $1, $2, $3, COALESCE(max(site_no), 0) + 1, $4, $5 FROM branches
         RETURNING id, organization_id, name, site_no, time_zone",
        BranchId::new().0,
        organization.0,
        name,
        time_zone,
        now,
    )
    .fetch_one(db)
    .await
}

/// Any number, the same in all instances.
const SITE_NO_LOCK: i64 = 0x6779_6d77_6972_6502;

pub async fn by_id(db: &mut PgConnection, id: BranchId) -> sqlx::Result<Option<Branch>> {
    query_as!(
        Branch,
        "SELECT id, organization_id, name, site_no, time_zone FROM branches WHERE id = $1",
        id.0,
    )
    .fetch_optional(db)
    .await
}

pub async fn by_name(db: &mut PgConnection, name: &str) -> sqlx::Result<Vec<Branch>> {
    query_as!(
        Branch,
        "SELECT id, organization_id, name, site_no, time_zone FROM branches WHERE name = $1
         ORDER BY id LIMIT 2",
        name,
    )
    .fetch_all(db)
    .await
}

/// The branch, if there is exactly one.
pub async fn only(db: &mut PgConnection) -> sqlx::Result<Option<Branch>> {
    let mut found = query_as!(
        Branch,
        "SELECT id, organization_id, name, site_no, time_zone FROM branches LIMIT 2",
    )
    .fetch_all(db)
    .await?;
    Ok(if found.len() == 1 { found.pop() } else { None })
}

/// Whether Postgres knows the name, by the IANA database.
pub async fn is_time_zone(db: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    query_scalar!(
        r#"SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = $1) AS "known!""#,
        name,
    )
    .fetch_one(db)
    .await
}
