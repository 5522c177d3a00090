//! SQL of the domain.

use crate::ids::{BranchId, EdgeId};
use sqlx::{PgConnection, query};
use time::OffsetDateTime;
use uuid::Uuid;

/// Something the cloud itself found, that staff should know.
pub async fn notice(
    db: &mut PgConnection,
    branch: BranchId,
    edge: Option<EdgeId>,
    code: &str,
    detail: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO notices (id, branch_id, edge_id, code, detail, at, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
        Uuid::now_v7(),
        branch.0,
        edge.map(|edge| edge.0),
        code,
        detail,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}
