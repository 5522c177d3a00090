//! SQL of the domain. The table belongs to `devices`, which alone writes it.

use super::model::{Machine, Sort};
use crate::domains::devices::MachineType;
use crate::http::Place;
use crate::http::auth::Scope;
use crate::ids::{BranchId, DeviceId};
use sqlx::{PgConnection, query_as, query_scalar};

/// Which machines to list.
pub struct Wanted<'a> {
    pub scope: Scope<'a>,
    pub branch: Option<BranchId>,
    pub machine_type: Option<MachineType>,
    pub sort: Sort,
    pub after: Option<Place>,
    pub rows: i64,
}

pub async fn list(db: &mut PgConnection, wanted: Wanted<'_>) -> sqlx::Result<Vec<Machine>> {
    let (organization, branches) = wanted.scope.parameters();
    query_as!(
        Machine,
        r#"SELECT id, branch_id, code, name, machine_type AS "kind!: MachineType",
                  enabled, created_at
         FROM (
             SELECT devices.*, CASE WHEN $5 THEN code ELSE devices.name END AS key
             FROM devices JOIN branches ON branches.id = branch_id
             WHERE kind = 'machine' AND removed_at IS NULL
                 AND (organization_id = $1 OR branch_id = ANY($2))
                 AND ($3::uuid IS NULL OR branch_id = $3)
                 AND ($4::text IS NULL OR machine_type = $4)
         ) AS machines
         WHERE $7::text IS NULL
             OR CASE WHEN $6 THEN (key, id) < ($7, $8::uuid) ELSE (key, id) > ($7, $8::uuid) END
         ORDER BY CASE WHEN NOT $6 THEN key END, CASE WHEN $6 THEN key END DESC,
                  CASE WHEN NOT $6 THEN id END, CASE WHEN $6 THEN id END DESC
         LIMIT $9"#,
        organization,
        &branches,
        wanted.branch.map(|branch| branch.0),
        wanted.machine_type.map(MachineType::name),
        wanted.sort.is_by_code(),
        wanted.sort.is_down(),
        wanted.after.as_ref().map(|place| place.key.as_str()),
        wanted.after.as_ref().map(|place| place.id),
        wanted.rows,
    )
    .fetch_all(db)
    .await
}

/// A machine that is in the scope.
pub async fn by_id(
    db: &mut PgConnection,
    scope: Scope<'_>,
    id: DeviceId,
) -> sqlx::Result<Option<Machine>> {
    let (organization, branches) = scope.parameters();
    query_as!(
        Machine,
        r#"SELECT devices.id, branch_id, code, devices.name, machine_type AS "kind!: MachineType",
                  enabled, devices.created_at
         FROM devices JOIN branches ON branches.id = branch_id
         WHERE devices.id = $3 AND kind = 'machine' AND removed_at IS NULL
             AND (organization_id = $1 OR branch_id = ANY($2))"#,
        organization,
        &branches,
        id.0,
    )
    .fetch_optional(db)
    .await
}

/// What a machine is called, unless it was removed.
pub async fn name(db: &mut PgConnection, id: DeviceId) -> sqlx::Result<Option<String>> {
    query_scalar!("SELECT name FROM devices WHERE id = $1 AND removed_at IS NULL", id.0)
        .fetch_optional(db)
        .await
}
