//! What a branch's edge is told: the newest content per item, numbered by a counter per branch.

use crate::ids::BranchId;
use protocol::sync::changes::Change;
use sqlx::{PgConnection, query, query_scalar};

/// Notes a change for the branch's edge. The branch's counter stays locked until the caller's transaction
/// ends, so versions become visible in their order and an edge that asks from a version misses nothing.
pub async fn registry_changed(
    db: &mut PgConnection,
    branch: BranchId,
    change: &Change,
) -> anyhow::Result<()> {
    let (kind, item_id, is_removal) = place(change);
    let content = postcard::to_allocvec(change)?;
    let version = query_scalar!(
        "INSERT INTO branch_versions (branch_id, version) VALUES ($1, 1)
         ON CONFLICT (branch_id) DO UPDATE SET version = branch_versions.version + 1
         RETURNING version",
        branch.0,
    )
    .fetch_one(&mut *db)
    .await?;
    query!(
        "INSERT INTO branch_items (branch_id, kind, item_id, version, content, is_removal)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT ON CONSTRAINT branch_items_pkey
         DO UPDATE SET version = $4, content = $5, is_removal = $6",
        branch.0,
        kind,
        item_id,
        version,
        content,
        is_removal,
    )
    .execute(&mut *db)
    .await?;
    // Heard by every instance when the transaction commits; wakes the long polls of that branch.
    query!("SELECT pg_notify('branch_changes', $1)", branch.to_string()).execute(db).await?;
    Ok(())
}

/// Which item a change replaces. The numbers are in the database.
fn place(change: &Change) -> (i16, String, bool) {
    match change {
        Change::Device(device) => (1, device.id.to_string(), false),
        Change::DeviceRemoved(id) => (1, id.to_string(), true),
        Change::Setting { key, .. } => (2, key.clone(), false),
        Change::SettingRemoved(key) => (2, key.clone(), true),
        Change::CloudKey(key) => (3, key.key_id.to_string(), false),
        Change::CloudKeyRemoved(key_id) => (3, key_id.to_string(), true),
        Change::Roster { kind, id, item } => {
            (4, format!("{kind}-{}", hex::encode(id)), item.is_empty())
        }
    }
}
