//! SQL of edges for operators.

use super::model::{Contact, EdgeHealth, EdgeRecord};
use crate::http::Place;
use crate::http::auth::Scope;
use crate::ids::{BranchId, EdgeId};
use protocol::sync::state::LiveState;
use serde::Serialize;
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// Which edges, by the names of their branches.
pub struct Wanted<'a> {
    pub scope: Scope<'a>,
    pub branch: Option<BranchId>,
    pub only: Option<EdgeId>,
    /// Those too whose key counts no more.
    pub with_revoked: bool,
    pub after: Option<Place>,
    pub rows: i64,
}

pub async fn list(
    db: &mut PgConnection,
    wanted: Wanted<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<EdgeRecord>> {
    let (organization, branches) = wanted.scope.parameters();
    let rows = query!(
        r#"SELECT edges.id, edges.branch_id, branches.name AS branch_name, hostname,
                  agent_version, enrolled_at, revoked_at, last_contact_at, silent_since,
                  next_public_key IS NOT NULL AS "is_key_changing!",
                  live.state AS "state?", live.received_at AS "received_at?"
         FROM edges JOIN branches ON branches.id = edges.branch_id
         LEFT JOIN edge_live AS live ON live.edge_id = edges.id
         WHERE (organization_id = $1 OR edges.branch_id = ANY($2))
             AND ($3::uuid IS NULL OR edges.branch_id = $3)
             AND ($4::uuid IS NULL OR edges.id = $4)
             AND ($5 OR revoked_at IS NULL)
             AND ($6::text IS NULL OR (branches.name, edges.id) > ($6, $7::uuid))
         ORDER BY branches.name, edges.id LIMIT $8"#,
        organization,
        &branches,
        wanted.branch.map(|id| id.0),
        wanted.only.map(|id| id.0),
        wanted.with_revoked,
        wanted.after.as_ref().map(|place| place.key.as_str()),
        wanted.after.as_ref().map(|place| place.id),
        wanted.rows,
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        let state = row.state.and_then(|bytes| LiveState::decode(&bytes).ok());
        let told = state.as_ref().map(|state| state.floor.agent_version.clone());
        let told = told.filter(|version| !version.is_empty());
        let health = state.zip(row.received_at).map(|(state, at)| EdgeHealth::of(&state, at));
        EdgeRecord {
            id: row.id,
            branch_id: row.branch_id,
            branch_name: row.branch_name,
            hostname: row.hostname,
            agent_version: told.unwrap_or(row.agent_version),
            enrolled_at: row.enrolled_at,
            revoked_at: row.revoked_at,
            contact: Contact::of(row.revoked_at, row.last_contact_at, now),
            last_contact_at: row.last_contact_at,
            silent_since: row.silent_since,
            is_key_changing: row.is_key_changing,
            health,
        }
    });
    Ok(rows.collect())
}

/// Where an edge is that is in the scope.
pub async fn branch_of(
    db: &mut PgConnection,
    scope: Scope<'_>,
    id: EdgeId,
    must_count: bool,
) -> sqlx::Result<Option<BranchId>> {
    let (organization, branches) = scope.parameters();
    query_scalar!(
        r#"SELECT branch_id AS "id: BranchId" FROM edges JOIN branches ON branches.id = branch_id
         WHERE edges.id = $3 AND (organization_id = $1 OR branch_id = ANY($2))
             AND (revoked_at IS NULL OR NOT $4)"#,
        organization,
        &branches,
        id.0,
        must_count,
    )
    .fetch_optional(db)
    .await
}

/// What was kept of an edge within some time, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Counts {
    pub gaps: i64,
    /// Messages that the branch refused.
    pub rejects: i64,
    /// Parts of batches that could not be used here.
    pub set_aside: i64,
    pub notices: i64,
}

pub async fn counts(
    db: &mut PgConnection,
    edge: EdgeId,
    since: OffsetDateTime,
) -> sqlx::Result<Counts> {
    query_as!(
        Counts,
        r#"SELECT
             (SELECT count(*) FROM gaps WHERE edge_id = $1 AND received_at >= $2) AS "gaps!",
             (SELECT COALESCE(sum(count), 0)::bigint FROM ingest_rejects
              WHERE edge_id = $1 AND received_at >= $2) AS "rejects!",
             (SELECT count(*) FROM set_aside WHERE edge_id = $1 AND received_at >= $2)
                 AS "set_aside!",
             (SELECT count(*) FROM notices WHERE edge_id = $1 AND received_at >= $2)
                 AS "notices!""#,
        edge.0,
        since,
    )
    .fetch_one(db)
    .await
}

/// Its key counts no more. Waits for a batch that is being applied.
pub async fn revoke(db: &mut PgConnection, id: EdgeId, now: OffsetDateTime) -> sqlx::Result<bool> {
    let gone = query!(
        "UPDATE edges SET revoked_at = $2, next_public_key = NULL
         WHERE id = $1 AND revoked_at IS NULL",
        id.0,
        now,
    );
    let is_gone = gone.execute(&mut *db).await?.rows_affected() == 1;
    query!("DELETE FROM edge_live WHERE edge_id = $1", id.0).execute(db).await?;
    Ok(is_gone)
}

/// Something that is missing.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Gap {
    pub id: Uuid,
    /// Whose samples, if they are of one machine.
    pub device_id: Option<Uuid>,
    /// `telemetry` or `events`.
    #[schema(example = "telemetry")]
    pub stream: String,
    /// `thinned`, `dropped`, `damaged` or `too_late`.
    #[schema(example = "thinned")]
    pub reason: String,
    pub first_seq: i64,
    pub last_seq: i64,
    /// Samples or events; 0 if nobody can tell.
    pub count: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
}

type Before = Option<(OffsetDateTime, Uuid)>;

pub async fn gaps(
    db: &mut PgConnection,
    edge: EdgeId,
    before: Before,
    rows: i64,
) -> sqlx::Result<Vec<Gap>> {
    let (at, id) = before.unzip();
    query_as!(
        Gap,
        "SELECT id, device_id, stream, reason, first_seq, last_seq, count, received_at FROM gaps
         WHERE edge_id = $1 AND ($2::timestamptz IS NULL OR (received_at, id) < ($2, $3::uuid))
         ORDER BY received_at DESC, id DESC LIMIT $4",
        edge.0,
        at,
        id,
        rows,
    )
    .fetch_all(db)
    .await
}

/// A message that the branch refused. What it said is not told: it may name a member.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Reject {
    /// Number in the journal, of this opening of it.
    #[serde(skip)]
    pub epoch: i64,
    #[schema(example = 4711)]
    pub seq: i64,
    pub device_id: Option<Uuid>,
    #[schema(example = "gymwire/v1/machines/rower-1/telemetry")]
    pub topic: String,
    #[schema(example = "out_of_range")]
    pub code: String,
    #[schema(example = "speed_mps")]
    pub field: Option<String>,
    pub message: String,
    /// How many messages it stands for.
    pub count: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// Where a page of rejects ended.
pub type RejectPlace = (OffsetDateTime, i64, i64);

pub async fn rejects(
    db: &mut PgConnection,
    edge: EdgeId,
    before: Option<RejectPlace>,
    rows: i64,
) -> sqlx::Result<Vec<Reject>> {
    let (at, epoch, seq) = before.map_or((None, 0, 0), |(at, epoch, seq)| (Some(at), epoch, seq));
    query_as!(
        Reject,
        "SELECT epoch, seq, device_id, topic, code, field, message, count, at FROM ingest_rejects
         WHERE edge_id = $1
             AND ($2::timestamptz IS NULL OR (at, epoch, seq) < ($2, $3::bigint, $4::bigint))
         ORDER BY at DESC, epoch DESC, seq DESC LIMIT $5",
        edge.0,
        at,
        epoch,
        seq,
        rows,
    )
    .fetch_all(db)
    .await
}

/// Something that staff should know.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Notice {
    pub id: Uuid,
    #[schema(example = "edge_conflict")]
    pub code: String,
    pub detail: String,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

pub async fn notices(
    db: &mut PgConnection,
    edge: EdgeId,
    before: Before,
    rows: i64,
) -> sqlx::Result<Vec<Notice>> {
    let (at, id) = before.unzip();
    query_as!(
        Notice,
        "SELECT id, code, detail, at FROM notices
         WHERE edge_id = $1 AND ($2::timestamptz IS NULL OR (at, id) < ($2, $3::uuid))
         ORDER BY at DESC, id DESC LIMIT $4",
        edge.0,
        at,
        id,
        rows,
    )
    .fetch_all(db)
    .await
}
