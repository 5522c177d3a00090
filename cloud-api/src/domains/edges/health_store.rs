//! SQL of how edges are.

use super::health::Health;
use crate::http::auth::Scope;
use crate::ids::{BranchId, EdgeId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

/// Edges that were not replaced.
pub async fn active(
    db: &mut PgConnection,
    scope: Scope<'_>,
    branch: Option<BranchId>,
) -> sqlx::Result<Vec<Health>> {
    let (organization, branches) = scope.parameters();
    let rows = query!(
        r#"SELECT edges.id AS "edge: EdgeId", branch_id AS "branch: BranchId", hostname,
                  agent_version, enrolled_at, last_contact_at
           FROM edges JOIN branches ON branches.id = branch_id
           WHERE revoked_at IS NULL AND (organization_id = $1 OR branch_id = ANY($2))
             AND ($3::uuid IS NULL OR branch_id = $3)"#,
        organization,
        &branches,
        branch.map(|branch| branch.0),
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    let health = rows.map(|row| Health {
        branch: row.branch,
        edge: row.edge,
        hostname: row.hostname,
        agent_version: row.agent_version,
        enrolled_at: row.enrolled_at,
        last_contact_at: row.last_contact_at,
        told: None,
        clock: None,
    });
    Ok(health.collect())
}

/// What went wrong at a branch since a moment.
#[derive(Debug, Default)]
pub struct Troubles {
    pub rejects: Vec<Reject>,
    pub gaps: Vec<Gap>,
    /// Parts of batches that could not be applied.
    pub set_aside: i64,
}

/// Messages that could not be used, of one kind.
#[derive(Debug)]
pub struct Reject {
    pub code: String,
    pub device: Option<String>,
    pub message: String,
    pub count: i64,
    pub last_at: OffsetDateTime,
}

/// What is missing, of one kind.
#[derive(Debug)]
pub struct Gap {
    pub stream: String,
    pub reason: String,
    pub count: i64,
    pub last_at: OffsetDateTime,
}

/// At most so many kinds are told, the newest first.
const KINDS: i64 = 20;

/// What went wrong at a branch since a moment, by kind.
pub async fn troubles(
    db: &mut PgConnection,
    branch: BranchId,
    since: OffsetDateTime,
) -> sqlx::Result<Troubles> {
    let rejects = query_as!(
        Reject,
        r#"SELECT rejects.code AS "code!", devices.code AS "device?", min(message) AS "message!",
                  sum(count)::bigint AS "count!", max(received_at) AS "last_at!"
           FROM ingest_rejects AS rejects LEFT JOIN devices ON devices.id = device_id
           WHERE rejects.branch_id = $1 AND received_at >= $2
           GROUP BY rejects.code, devices.code ORDER BY max(received_at) DESC LIMIT $3"#,
        branch.0,
        since,
        KINDS,
    );
    let rejects = rejects.fetch_all(&mut *db).await?;
    let gaps = query_as!(
        Gap,
        r#"SELECT stream, reason, sum(count)::bigint AS "count!", max(received_at) AS "last_at!"
           FROM gaps WHERE branch_id = $1 AND received_at >= $2
           GROUP BY stream, reason ORDER BY max(received_at) DESC LIMIT $3"#,
        branch.0,
        since,
        KINDS,
    );
    let gaps = gaps.fetch_all(&mut *db).await?;
    let set_aside = query_scalar!(
        r#"SELECT count(*) AS "count!" FROM set_aside WHERE branch_id = $1 AND received_at >= $2"#,
        branch.0,
        since,
    );
    Ok(Troubles { rejects, gaps, set_aside: set_aside.fetch_one(db).await? })
}
