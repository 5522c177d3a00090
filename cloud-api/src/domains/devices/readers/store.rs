//! SQL of readers.

use super::model::{ReaderPlace, ReaderRecord, ReaderSetup, Reads};
use crate::http::Place;
use crate::http::auth::Scope;
use crate::ids::{BranchId, DeviceId};
use sqlx::{PgConnection, query};

/// Those in the scope, by name.
pub async fn list(
    db: &mut PgConnection,
    scope: Scope<'_>,
    branch: Option<BranchId>,
    only: Option<DeviceId>,
    after: Option<Place>,
    rows: i64,
) -> sqlx::Result<Vec<ReaderRecord>> {
    let (organization, branches) = scope.parameters();
    let rows = query!(
        r#"SELECT devices.id, branch_id, code, devices.name,
                  COALESCE(place, 'door') AS "place!: ReaderPlace",
                  place_machine_id AS "machine_id: DeviceId",
                  COALESCE(reads, 'both') AS "reads!: Reads",
                  bridge_id AS "bridge_id: DeviceId", enabled,
                  secret_sha256 IS NOT NULL AS "has_secret!", devices.created_at
         FROM devices JOIN branches ON branches.id = branch_id
         WHERE kind = 'reader' AND removed_at IS NULL
             AND (organization_id = $1 OR branch_id = ANY($2))
             AND ($3::uuid IS NULL OR branch_id = $3) AND ($4::uuid IS NULL OR devices.id = $4)
             AND ($5::text IS NULL OR (devices.name, devices.id) > ($5, $6::uuid))
         ORDER BY devices.name, devices.id LIMIT $7"#,
        organization,
        &branches,
        branch.map(|id| id.0),
        only.map(|id| id.0),
        after.as_ref().map(|place| place.key.as_str()),
        after.as_ref().map(|place| place.id),
        rows,
    )
    .fetch_all(db)
    .await?;
    let records = rows.into_iter().map(|row| ReaderRecord {
        id: row.id,
        created_at: row.created_at,
        has_secret: row.has_secret,
        setup: ReaderSetup {
            branch_id: row.branch_id,
            code: row.code,
            name: row.name,
            place: row.place,
            machine_id: row.machine_id,
            reads: row.reads,
            bridge_id: row.bridge_id,
            enabled: row.enabled,
        },
    });
    Ok(records.collect())
}

/// Its place is said by [`super::place_reader`].
pub async fn update(db: &mut PgConnection, id: DeviceId, setup: &ReaderSetup) -> sqlx::Result<()> {
    query!(
        "UPDATE devices SET name = $2, reads = $3, bridge_id = $4, enabled = $5 WHERE id = $1",
        id.0,
        setup.name,
        setup.reads as Reads,
        setup.bridge_id.map(|bridge| bridge.0),
        setup.enabled,
    )
    .execute(db)
    .await?;
    Ok(())
}
