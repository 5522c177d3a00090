//! SQL of edges: who they are, which start of the agent holds the key, enrolment codes.

use super::holder::Run;
use crate::ids::{BranchId, EdgeId, OrganizationId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

/// How an edge stands with us.
#[derive(Debug, Clone)]
pub struct Standing {
    pub branch_id: BranchId,
    pub public_key: Vec<u8>,
    /// Announced, and not used yet.
    pub next_public_key: Option<Vec<u8>>,
    pub revoked_at: Option<OffsetDateTime>,
    pub boot: Option<String>,
    pub held_since: Option<OffsetDateTime>,
    pub last_contact_at: Option<OffsetDateTime>,
}

/// Who enrols.
#[derive(Debug)]
pub struct NewEdge<'a> {
    pub branch: BranchId,
    pub public_key: &'a [u8; 32],
    pub hostname: &'a str,
    pub agent_version: &'a str,
}

/// A one-time code.
#[derive(Debug)]
pub struct EnrollCode {
    pub branch_id: BranchId,
    pub expires_at: OffsetDateTime,
    pub used_at: Option<OffsetDateTime>,
    pub edge_id: Option<EdgeId>,
}

pub async fn standing(db: &mut PgConnection, edge: EdgeId) -> sqlx::Result<Option<Standing>> {
    query_as!(
        Standing,
        "SELECT branch_id, public_key, next_public_key, revoked_at, boot, held_since,
                last_contact_at
         FROM edges WHERE id = $1",
        edge.0,
    )
    .fetch_optional(db)
    .await
}

/// Also keeps batches of this edge waiting, see [`keep`].
pub async fn lock(db: &mut PgConnection, edge: EdgeId) -> sqlx::Result<Option<Standing>> {
    query_as!(
        Standing,
        "SELECT branch_id, public_key, next_public_key, revoked_at, boot, held_since,
                last_contact_at
         FROM edges WHERE id = $1 FOR UPDATE",
        edge.0,
    )
    .fetch_optional(db)
    .await
}

/// Whether a start of the agent still holds the key of an edge that counts, and keeps it so until the end of
/// the transaction. A key share does not get in the way of [`heard`].
pub async fn keep(db: &mut PgConnection, edge: EdgeId, boot: &str) -> sqlx::Result<bool> {
    let held = query!(
        "SELECT id FROM edges WHERE id = $1 AND revoked_at IS NULL AND boot = $2 FOR KEY SHARE",
        edge.0,
        boot,
    );
    Ok(held.fetch_optional(db).await?.is_some())
}

pub async fn heard(db: &mut PgConnection, edge: EdgeId, now: OffsetDateTime) -> sqlx::Result<()> {
    query!("UPDATE edges SET last_contact_at = $2 WHERE id = $1", edge.0, now).execute(db).await?;
    Ok(())
}

pub async fn hold(
    db: &mut PgConnection,
    edge: EdgeId,
    boot: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!("UPDATE edges SET boot = $2, held_since = $3 WHERE id = $1", edge.0, boot, now)
        .execute(db)
        .await?;
    Ok(())
}

/// What is known of a start of the agent that does not hold the key.
pub async fn run(db: &mut PgConnection, edge: EdgeId, boot: &str) -> sqlx::Result<Run> {
    let is_rival = query_scalar!(
        "SELECT is_rival FROM edge_runs WHERE edge_id = $1 AND boot = $2",
        edge.0,
        boot,
    )
    .fetch_optional(db)
    .await?;
    Ok(match is_rival {
        None => Run::Unknown,
        Some(false) => Run::Former,
        Some(true) => Run::Rival,
    })
}

pub async fn note_run(
    db: &mut PgConnection,
    edge: EdgeId,
    boot: &str,
    is_rival: bool,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO edge_runs (edge_id, boot, is_rival, since) VALUES ($1, $2, $3, $4)
         ON CONFLICT ON CONSTRAINT edge_runs_pkey DO UPDATE SET is_rival = $3, since = $4",
        edge.0,
        boot,
        is_rival,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn forget_run(db: &mut PgConnection, edge: EdgeId, boot: &str) -> sqlx::Result<()> {
    query!("DELETE FROM edge_runs WHERE edge_id = $1 AND boot = $2", edge.0, boot)
        .execute(db)
        .await?;
    Ok(())
}

/// Notes the key that is to come; the present one counts until it does.
pub async fn announce_key(
    db: &mut PgConnection,
    edge: EdgeId,
    next: &[u8; 32],
) -> sqlx::Result<()> {
    query!("UPDATE edges SET next_public_key = $2 WHERE id = $1", edge.0, next).execute(db).await?;
    Ok(())
}

/// The announced key was used: from now on only it counts. The organization, unless another request was faster.
pub async fn replace_key(
    db: &mut PgConnection,
    edge: EdgeId,
    next: &[u8],
) -> sqlx::Result<Option<OrganizationId>> {
    query_scalar!(
        r#"UPDATE edges SET public_key = $2, next_public_key = NULL
           FROM branches
           WHERE edges.id = $1 AND next_public_key = $2 AND branches.id = branch_id
           RETURNING branches.organization_id AS "organization_id: OrganizationId""#,
        edge.0,
        next,
    )
    .fetch_optional(db)
    .await
}

/// `false` if the assertion was used before.
pub async fn use_assertion(
    db: &mut PgConnection,
    edge: EdgeId,
    jti: &str,
    expires_at: OffsetDateTime,
) -> sqlx::Result<bool> {
    let inserted = query!(
        "INSERT INTO edge_assertions (edge_id, jti, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT ON CONSTRAINT edge_assertions_pkey DO NOTHING",
        edge.0,
        jti,
        expires_at,
    );
    Ok(inserted.execute(db).await?.rows_affected() == 1)
}

pub async fn insert_code(
    db: &mut PgConnection,
    code_sha256: &[u8; 32],
    branch: BranchId,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO enroll_codes (code_sha256, branch_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4)",
        code_sha256,
        branch.0,
        now,
        expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Locks the code: two that come with it at once are served one after the other.
pub async fn lock_code(
    db: &mut PgConnection,
    code_sha256: &[u8; 32],
) -> sqlx::Result<Option<EnrollCode>> {
    query_as!(
        EnrollCode,
        "SELECT branch_id, expires_at, used_at, edge_id FROM enroll_codes
         WHERE code_sha256 = $1 FOR UPDATE",
        code_sha256,
    )
    .fetch_optional(db)
    .await
}

pub async fn use_code(
    db: &mut PgConnection,
    code_sha256: &[u8; 32],
    edge: EdgeId,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE enroll_codes SET used_at = $2, edge_id = $3 WHERE code_sha256 = $1",
        code_sha256,
        now,
        edge.0,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Puts an edge in the place of the branch's former one, whose key counts no more. The former one's row is
/// locked as by [`lock`], so its last batch is applied whole or not at all.
pub async fn replace(
    db: &mut PgConnection,
    new: &NewEdge<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<EdgeId> {
    query!(
        "SELECT id FROM edges WHERE branch_id = $1 AND revoked_at IS NULL FOR UPDATE",
        new.branch.0,
    )
    .fetch_optional(&mut *db)
    .await?;
    query!(
        "UPDATE edges SET revoked_at = $2 WHERE branch_id = $1 AND revoked_at IS NULL",
        new.branch.0,
        now,
    )
    .execute(&mut *db)
    .await?;
    let id = EdgeId::new();
    query!(
        "INSERT INTO edges (id, branch_id, public_key, hostname, agent_version, enrolled_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        id.0,
        new.branch.0,
        new.public_key,
        new.hostname,
        new.agent_version,
        now,
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// What an edge is told about the place it stands in.
#[derive(Debug)]
pub struct Place {
    pub organization_id: OrganizationId,
    pub name: String,
    pub site_no: i32,
    pub credential_key: Vec<u8>,
}

pub async fn place(db: &mut PgConnection, branch: BranchId) -> sqlx::Result<Place> {
    query_as!(
        Place,
        "SELECT branches.organization_id, branches.name, site_no, credential_key
         FROM branches JOIN organizations ON organizations.id = organization_id
         WHERE branches.id = $1",
        branch.0,
    )
    .fetch_one(db)
    .await
}

/// Forgets what has no meaning any more: used assertions and codes that have expired, old starts.
pub async fn forget_expired(db: &mut PgConnection, now: OffsetDateTime) -> sqlx::Result<()> {
    query!(
        "DELETE FROM edge_assertions WHERE expires_at < $1::timestamptz - interval '10 minutes'",
        now
    )
    .execute(&mut *db)
    .await?;
    query!("DELETE FROM enroll_codes WHERE expires_at < $1::timestamptz - interval '30 days'", now)
        .execute(&mut *db)
        .await?;
    query!("DELETE FROM edge_runs WHERE since < $1::timestamptz - interval '30 days'", now)
        .execute(db)
        .await?;
    Ok(())
}
