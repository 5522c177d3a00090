//! What is reported about machines, and its SQL.

use crate::http::auth::Scope;
use crate::ids::{BranchId, DeviceId, MachineReportId, UserId};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    /// It cannot be used.
    Fault,
}

/// Who reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Source {
    Member,
    Staff,
    Machine,
}

/// Something that was reported about a machine.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Report {
    pub id: MachineReportId,
    pub branch_id: BranchId,
    pub machine_id: DeviceId,
    #[schema(example = "Treadmill 1")]
    pub machine_name: String,
    #[schema(inline)]
    pub source: Source,
    /// Who it was; null for machines, and for who has left.
    pub user_id: Option<UserId>,
    #[schema(inline)]
    pub severity: Severity,
    /// In words of the machine's maker.
    #[schema(example = "E42")]
    pub code: Option<String>,
    #[schema(example = "belt slips")]
    pub message: String,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When staff had looked after it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub closed_at: Option<OffsetDateTime>,
    pub closed_by: Option<UserId>,
    /// What was found or done.
    #[schema(example = "belt tightened")]
    pub note: Option<String>,
}

/// What is to be kept.
#[derive(Debug)]
pub struct NewReport<'a> {
    pub branch: BranchId,
    pub machine: DeviceId,
    pub source: Source,
    pub user: Option<UserId>,
    pub severity: Severity,
    pub code: Option<&'a str>,
    pub message: &'a str,
}

pub async fn insert(
    db: &mut PgConnection,
    new: &NewReport<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<MachineReportId> {
    let id = MachineReportId::new();
    query!(
        "INSERT INTO machine_reports
             (id, branch_id, machine_id, source, user_id, severity, code, message, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id.0,
        new.branch.0,
        new.machine.0,
        new.source as Source,
        new.user.map(|user| user.0),
        new.severity as Severity,
        new.code,
        new.message,
        now,
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// Whether somebody has reported about a machine already, and nobody has looked after it.
pub async fn has_open(
    db: &mut PgConnection,
    machine: DeviceId,
    user: UserId,
) -> sqlx::Result<bool> {
    query_scalar!(
        r#"SELECT EXISTS (SELECT FROM machine_reports
               WHERE machine_id = $1 AND user_id = $2 AND closed_at IS NULL) AS "has!""#,
        machine.0,
        user.0,
    )
    .fetch_one(db)
    .await
}

/// How many members have reported a fault since a moment that nobody has looked after.
pub async fn members_with_fault(
    db: &mut PgConnection,
    machine: DeviceId,
    since: OffsetDateTime,
) -> sqlx::Result<i64> {
    query_scalar!(
        r#"SELECT count(DISTINCT user_id) AS "count!" FROM machine_reports
         WHERE machine_id = $1 AND source = 'member' AND severity = 'fault'
             AND closed_at IS NULL AND created_at >= $2"#,
        machine.0,
        since,
    )
    .fetch_one(db)
    .await
}

/// Somebody has looked after all that was reported.
pub async fn close(
    db: &mut PgConnection,
    machine: DeviceId,
    by: UserId,
    note: Option<&str>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE machine_reports SET closed_at = $2, closed_by = $3, note = $4
         WHERE machine_id = $1 AND closed_at IS NULL",
        machine.0,
        now,
        by.0,
        note,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn serviced(
    db: &mut PgConnection,
    machine: DeviceId,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!("UPDATE devices SET serviced_at = $2 WHERE id = $1", machine.0, now).execute(db).await?;
    Ok(())
}

/// Which reports.
#[derive(Debug, Default)]
pub struct Wanted {
    pub branch: Option<BranchId>,
    pub machine: Option<DeviceId>,
    pub is_open: Option<bool>,
    pub before: Option<(OffsetDateTime, MachineReportId)>,
    pub rows: i64,
}

/// The newest first.
pub async fn list(
    db: &mut PgConnection,
    scope: Scope<'_>,
    wanted: &Wanted,
) -> sqlx::Result<Vec<Report>> {
    let (organization, branches) = scope.parameters();
    let (at, id) = wanted.before.unzip();
    query_as!(
        Report,
        r#"SELECT reports.id, reports.branch_id, machine_id, devices.name AS machine_name,
                  source AS "source: Source", user_id, severity AS "severity: Severity",
                  reports.code, message, reports.created_at, closed_at, closed_by, note
         FROM machine_reports AS reports
         JOIN devices ON devices.id = machine_id
         JOIN branches ON branches.id = reports.branch_id
         WHERE (organization_id = $1 OR reports.branch_id = ANY($2))
             AND ($3::uuid IS NULL OR reports.branch_id = $3)
             AND ($4::uuid IS NULL OR machine_id = $4)
             AND ($5::boolean IS NULL OR (closed_at IS NULL) = $5)
             AND ($6::timestamptz IS NULL OR (reports.created_at, reports.id) < ($6, $7::uuid))
         ORDER BY reports.created_at DESC, reports.id DESC LIMIT $8"#,
        organization,
        &branches,
        wanted.branch.map(|id| id.0),
        wanted.machine.map(|id| id.0),
        wanted.is_open,
        at,
        id.map(|id| id.0),
        wanted.rows,
    )
    .fetch_all(db)
    .await
}
