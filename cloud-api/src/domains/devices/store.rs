//! SQL of the domain.

use super::model::{Device, DeviceKind, MachineType, NewDevice};
use crate::ids::{BranchId, DeviceId};
use protocol::ids::Code;
use sqlx::{PgConnection, query_as};
use time::OffsetDateTime;

pub async fn insert(
    db: &mut PgConnection,
    branch: BranchId,
    new: &NewDevice,
    secret_sha256: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<Device> {
    query_as!(
        Device,
        r#"INSERT INTO devices
             (id, branch_id, code, kind, name, machine_type, bridge_id, secret_sha256, topics, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         RETURNING id, branch_id, code, kind AS "kind: DeviceKind", name,
                   machine_type AS "machine_type: MachineType", bridge_id, secret_sha256, topics, enabled"#,
        DeviceId::new().0,
        branch.0,
        new.code.as_str(),
        new.kind.name(),
        new.name,
        new.machine_type.map(MachineType::name),
        new.bridge.map(|bridge| bridge.0),
        secret_sha256,
        &new.topics,
        now,
    )
    .fetch_one(db)
    .await
}

pub async fn by_code(
    db: &mut PgConnection,
    branch: BranchId,
    code: &Code,
) -> sqlx::Result<Option<Device>> {
    query_as!(
        Device,
        r#"SELECT id, branch_id, code, kind AS "kind: DeviceKind", name,
                  machine_type AS "machine_type: MachineType", bridge_id, secret_sha256, topics, enabled
         FROM devices WHERE branch_id = $1 AND code = $2 AND removed_at IS NULL"#,
        branch.0,
        code.as_str(),
    )
    .fetch_optional(db)
    .await
}
