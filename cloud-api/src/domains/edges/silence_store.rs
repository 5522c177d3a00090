//! SQL of branches that are silent.

use crate::ids::{BranchId, OrganizationId};
use sqlx::{PgConnection, query_as};
use time::OffsetDateTime;

/// A branch that fell silent, or is back.
pub struct Turn {
    pub branch: BranchId,
    pub branch_name: String,
    pub organization: OrganizationId,
    /// When it was heard last before the silence.
    pub since: OffsetDateTime,
}

/// Notes those that were heard last before a moment; each silence once.
pub async fn fell_silent(db: &mut PgConnection, before: OffsetDateTime) -> sqlx::Result<Vec<Turn>> {
    query_as!(
        Turn,
        r#"UPDATE edges SET silent_since = last_contact_at FROM branches
         WHERE branches.id = branch_id AND revoked_at IS NULL AND silent_since IS NULL
             AND last_contact_at < $1
         RETURNING branch_id AS "branch: BranchId", name AS branch_name,
                   organization_id AS "organization: OrganizationId", last_contact_at AS "since!""#,
        before,
    )
    .fetch_all(db)
    .await
}

/// Notes those that were heard since a moment again.
pub async fn came_back(db: &mut PgConnection, since: OffsetDateTime) -> sqlx::Result<Vec<Turn>> {
    query_as!(
        Turn,
        r#"WITH back AS (
             SELECT id, silent_since FROM edges
             WHERE silent_since IS NOT NULL AND revoked_at IS NULL AND last_contact_at >= $1
             FOR UPDATE
         )
         UPDATE edges SET silent_since = NULL FROM back, branches
         WHERE edges.id = back.id AND branches.id = branch_id
         RETURNING branch_id AS "branch: BranchId", name AS branch_name,
                   organization_id AS "organization: OrganizationId",
                   back.silent_since AS "since!""#,
        since,
    )
    .fetch_all(db)
    .await
}
