//! SQL of the live lane.

use super::live::Save;
use crate::ids::{BranchId, DeviceId};
use protocol::sync::state::LiveState;
use sqlx::{PgConnection, query, query_scalar};
use std::collections::HashSet;
use uuid::Uuid;

/// Stores a state and tells other instances.
pub async fn save(db: &mut PgConnection, save: &Save) -> sqlx::Result<()> {
    query!(
        "WITH stored AS (
             INSERT INTO edge_live (branch_id, edge_id, received_at, state) VALUES ($1, $2, $3, $4)
             ON CONFLICT ON CONSTRAINT edge_live_pkey
             DO UPDATE SET edge_id = $2, received_at = $3, state = $4
             WHERE edge_live.received_at < $3
             RETURNING branch_id
         )
         SELECT pg_notify('branch_live', branch_id::text) FROM stored",
        save.branch.0,
        save.edge.0,
        save.received_at,
        save.state.encode(),
    )
    .fetch_optional(db)
    .await?;
    Ok(())
}

/// Tells other instances that somebody looks at a branch.
pub async fn tell_watched(db: &mut PgConnection, branch: BranchId) -> sqlx::Result<()> {
    query!("SELECT pg_notify('branch_watched', $1::uuid::text)", branch.0).fetch_one(db).await?;
    Ok(())
}

/// The stored states, of one branch or of all. One that cannot be read comes anew with the edge's next.
pub async fn load(db: &mut PgConnection, branch: Option<BranchId>) -> sqlx::Result<Vec<Save>> {
    let rows = query!(
        "SELECT edge_live.branch_id, edge_id, received_at, state
         FROM edge_live JOIN edges ON edges.id = edge_id
         WHERE revoked_at IS NULL AND ($1::uuid IS NULL OR edge_live.branch_id = $1)",
        branch.map(|branch| branch.0),
    )
    .fetch_all(db)
    .await?;
    let saved = rows.into_iter().filter_map(|row| {
        let state = LiveState::decode(&row.state).ok()?;
        let (branch, edge) = (row.branch_id, row.edge_id);
        Some(Save { branch, edge, received_at: row.received_at, state })
    });
    Ok(saved.collect())
}

/// Of some devices, those that belong to a branch.
pub async fn own_devices(
    db: &mut PgConnection,
    branch: BranchId,
    devices: &[DeviceId],
) -> sqlx::Result<HashSet<DeviceId>> {
    let ids: Vec<Uuid> = devices.iter().map(|id| id.0).collect();
    let own = query_scalar!(
        "SELECT id FROM devices WHERE branch_id = $1 AND id = ANY($2) AND removed_at IS NULL",
        branch.0,
        &ids,
    );
    Ok(own.fetch_all(db).await?.into_iter().collect())
}

/// All devices of a branch.
pub async fn devices(db: &mut PgConnection, branch: BranchId) -> sqlx::Result<HashSet<DeviceId>> {
    let ids = query_scalar!(
        "SELECT id FROM devices WHERE branch_id = $1 AND removed_at IS NULL",
        branch.0,
    );
    Ok(ids.fetch_all(db).await?.into_iter().collect())
}
