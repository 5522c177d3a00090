//! SQL of the domain.

use super::model::Branch;
use super::setup::{BranchRecord, BranchSetup};
use crate::domains::joining::Joining;
use crate::http::auth::Scope;
use crate::http::{Error, Result};
use crate::ids::{BranchId, OrganizationId};
use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{PgConnection, query, query_as, query_scalar};
use std::collections::BTreeMap;
use time::{Date, OffsetDateTime};

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

/// Which day it is at a branch; by UTC without one.
pub async fn today(
    db: &mut PgConnection,
    branch: Option<BranchId>,
    now: OffsetDateTime,
) -> sqlx::Result<Date> {
    query_scalar!(
        r#"SELECT ($1::timestamptz AT TIME ZONE COALESCE(
               (SELECT time_zone FROM branches WHERE id = $2), 'UTC'))::date AS "day!""#,
        now,
        branch.map(|branch| branch.0),
    )
    .fetch_one(db)
    .await
}

pub async fn put_setting(
    db: &mut PgConnection,
    branch: BranchId,
    key: &str,
    value: &Value,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO branch_settings (branch_id, key, value, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT ON CONSTRAINT branch_settings_pkey
         DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        branch.0,
        key,
        value,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn reset_setting(db: &mut PgConnection, branch: BranchId, key: &str) -> sqlx::Result<()> {
    query!("DELETE FROM branch_settings WHERE branch_id = $1 AND key = $2", branch.0, key)
        .execute(db)
        .await?;
    Ok(())
}

/// What was set; the rest is at its default.
pub async fn settings(
    db: &mut PgConnection,
    branch: BranchId,
) -> sqlx::Result<BTreeMap<String, Value>> {
    let rows = query!("SELECT key, value FROM branch_settings WHERE branch_id = $1", branch.0);
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows.map(|row| (row.key, row.value)).collect())
}

/// The branches of a scope by name, each with what was set.
pub async fn with_settings(
    db: &mut PgConnection,
    scope: Scope<'_>,
) -> sqlx::Result<Vec<(Branch, Map<String, Value>)>> {
    let (organization, branches) = scope.parameters();
    let rows = query!(
        r#"SELECT id AS "id: BranchId", organization_id AS "organization_id: OrganizationId", name,
                  site_no, time_zone,
                  (SELECT COALESCE(jsonb_object_agg(key, value), '{}') FROM branch_settings
                   WHERE branch_id = branches.id) AS "settings!: Json<Map<String, Value>>"
           FROM branches WHERE organization_id = $1 OR id = ANY($2) ORDER BY name, id"#,
        organization,
        &branches,
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        let (id, organization_id) = (row.id, row.organization_id);
        let (name, site_no, time_zone) = (row.name, row.site_no, row.time_zone);
        (Branch { id, organization_id, name, site_no, time_zone }, row.settings.0)
    });
    Ok(rows.collect())
}

/// Which branches.
pub struct Wanted {
    pub after: Option<(String, BranchId)>,
    pub only: Option<BranchId>,
    pub rows: i64,
}

/// Branches with all that is said of them, by name.
pub async fn records(
    db: &mut PgConnection,
    organization: OrganizationId,
    wanted: Wanted,
) -> Result<Vec<BranchRecord>> {
    let rows = query!(
        r#"SELECT id AS "id: BranchId", site_no, created_at, name, time_zone,
                  joining AS "joining: Joining",
                  (SELECT COALESCE(jsonb_object_agg(key, value), '{}') FROM branch_settings
                   WHERE branch_id = branches.id) AS "settings!: Json<Map<String, Value>>"
           FROM branches
           WHERE organization_id = $1 AND ($2::text IS NULL OR (name, id) > ($2, $3))
               AND ($4::uuid IS NULL OR id = $4)
           ORDER BY name, id LIMIT $5"#,
        organization.0,
        wanted.after.as_ref().map(|(name, _)| name.as_str()),
        wanted.after.as_ref().map(|(_, id)| id.0),
        wanted.only.map(|id| id.0),
        wanted.rows,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    rows.map(|row| {
        let joining = row.joining;
        let plain = BranchSetup { joining, ..BranchSetup::new(&row.name, &row.time_zone) };
        Ok(BranchRecord {
            id: row.id,
            organization_id: organization,
            site_no: row.site_no,
            created_at: row.created_at,
            setup: plain.with(row.settings.0)?,
        })
    })
    .collect()
}

/// One of an organization.
pub async fn record(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: BranchId,
) -> Result<BranchRecord> {
    let wanted = Wanted { after: None, only: Some(id), rows: 1 };
    records(db, organization, wanted).await?.pop().ok_or(Error::NotFound)
}

pub async fn rename(db: &mut PgConnection, branch: BranchId, name: &str) -> sqlx::Result<()> {
    query!("UPDATE branches SET name = $2 WHERE id = $1", branch.0, name).execute(db).await?;
    Ok(())
}

pub async fn set_time_zone(
    db: &mut PgConnection,
    branch: BranchId,
    time_zone: &str,
) -> sqlx::Result<()> {
    query!("UPDATE branches SET time_zone = $2 WHERE id = $1", branch.0, time_zone)
        .execute(db)
        .await?;
    Ok(())
}
