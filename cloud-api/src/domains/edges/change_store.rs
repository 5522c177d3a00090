//! SQL of what a branch's edge is told.

use crate::ids::BranchId;
use sqlx::{PgConnection, query};

/// How far the changes of a branch go.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub version: u64,
    /// Tombstones up to this version are gone.
    pub forgotten: u64,
}

/// The newest content of an item.
#[derive(Debug)]
pub struct Item {
    pub version: u64,
    pub content: Vec<u8>,
    pub is_removal: bool,
    /// A setting whose value is sealed.
    pub is_sealed: bool,
}

/// Items read by one statement.
pub const AT_ONCE: usize = 2_000;

pub async fn progress(db: &mut PgConnection, branch: BranchId) -> sqlx::Result<Progress> {
    let row = query!(
        "SELECT version, forgotten_version FROM branch_versions WHERE branch_id = $1",
        branch.0,
    );
    let row = row.fetch_optional(db).await?;
    Ok(row.map_or(Progress { version: 0, forgotten: 0 }, |row| Progress {
        version: row.version.unsigned_abs(),
        forgotten: row.forgotten_version.unsigned_abs(),
    }))
}

/// The first items between two versions, in order.
pub async fn after(
    db: &mut PgConnection,
    branch: BranchId,
    after: u64,
    up_to: u64,
) -> sqlx::Result<Vec<Item>> {
    let rows = query!(
        "SELECT version, content, is_removal, is_sealed FROM branch_items
         WHERE branch_id = $1 AND version > $2 AND version <= $3 ORDER BY version LIMIT $4",
        branch.0,
        after.cast_signed(),
        up_to.cast_signed(),
        AT_ONCE.cast_signed() as i64,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    let items = rows.map(|row| Item {
        version: row.version.unsigned_abs(),
        content: row.content,
        is_removal: row.is_removal,
        is_sealed: row.is_sealed,
    });
    Ok(items.collect())
}

/// Numbers of the cloud's keys that a branch is told of after a version.
pub async fn keys_told_after(
    db: &mut PgConnection,
    branch: BranchId,
    after: u64,
) -> sqlx::Result<Vec<u16>> {
    let rows = query!(
        "SELECT item_id FROM branch_items
         WHERE branch_id = $1 AND kind = 3 AND NOT is_removal AND version > $2",
        branch.0,
        after.cast_signed(),
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows.filter_map(|row| row.item_id.parse().ok()).collect())
}

/// Forgets tombstones that every edge that is not far behind has seen.
pub async fn forget_tombstones(db: &mut PgConnection) -> sqlx::Result<()> {
    query!(
        "WITH forgotten AS (
             DELETE FROM branch_items USING branch_versions AS told
             WHERE branch_items.branch_id = told.branch_id AND is_removal
               AND branch_items.version <= told.version - $1
             RETURNING branch_items.branch_id, branch_items.version
         )
         UPDATE branch_versions SET forgotten_version = newest
         FROM (SELECT branch_id, max(version) AS newest FROM forgotten GROUP BY branch_id) AS gone
         WHERE gone.branch_id = branch_versions.branch_id",
        KEPT_VERSIONS,
    )
    .execute(db)
    .await?;
    Ok(())
}

const KEPT_VERSIONS: i64 = 10_000;
