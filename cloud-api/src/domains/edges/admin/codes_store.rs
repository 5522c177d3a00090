//! SQL of enrolment codes for operators.

use super::codes::EnrollCodeRecord;
use crate::ids::BranchId;
use sqlx::{PgConnection, query, query_as, query_scalar};
use uuid::Uuid;

/// Codes of a branch, the newest first.
pub async fn codes(db: &mut PgConnection, branch: BranchId) -> sqlx::Result<Vec<EnrollCodeRecord>> {
    query_as!(
        EnrollCodeRecord,
        "SELECT id, created_at, expires_at, used_at, edge_id FROM enroll_codes
         WHERE branch_id = $1 ORDER BY created_at DESC, id LIMIT 200",
        branch.0,
    )
    .fetch_all(db)
    .await
}

pub async fn code_id(db: &mut PgConnection, code_sha256: &[u8; 32]) -> sqlx::Result<Uuid> {
    query_scalar!("SELECT id FROM enroll_codes WHERE code_sha256 = $1", code_sha256)
        .fetch_one(db)
        .await
}

/// `false` if there is none that was not used.
pub async fn revoke_code(db: &mut PgConnection, branch: BranchId, id: Uuid) -> sqlx::Result<bool> {
    let gone = query!(
        "DELETE FROM enroll_codes WHERE branch_id = $1 AND id = $2 AND used_at IS NULL",
        branch.0,
        id,
    );
    Ok(gone.execute(db).await?.rows_affected() == 1)
}
