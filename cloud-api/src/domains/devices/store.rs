//! SQL of the domain.

use super::model::{Device, DeviceKind, MachineType, NewDevice};
use crate::ids::{BranchId, DeviceId};
use protocol::ids::Code;
use protocol::sync::entry::{DeviceProposal, DeviceSecret};
use protocol::sync::roster::ReaderPlace;
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

pub async fn insert(
    db: &mut PgConnection,
    branch: BranchId,
    new: &NewDevice,
    secret_sha256: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<DeviceId> {
    query_scalar!(
        "INSERT INTO devices
             (id, branch_id, code, kind, name, machine_type, bridge_id, secret_sha256, topics, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
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
    find(db, branch, Some(code), None).await
}

/// A device with the id that an edge gave it; none if the id or the code is taken. What a machine is for is not
/// known at the branch: staff set it later.
pub async fn insert_proposed(
    db: &mut PgConnection,
    branch: BranchId,
    proposal: &DeviceProposal,
    now: OffsetDateTime,
) -> sqlx::Result<Option<DeviceId>> {
    let kind = DeviceKind::from(proposal.kind);
    let machine_type = (kind == DeviceKind::Machine).then_some(MachineType::Functional.name());
    query_scalar!(
        "INSERT INTO devices
             (id, branch_id, code, kind, name, machine_type, secret_sha256, created_at)
         VALUES ($1, $2, $3, $4, $3, $5, $6, $7)
         ON CONFLICT DO NOTHING RETURNING id",
        proposal.id.0,
        branch.0,
        proposal.code.as_str(),
        kind.name(),
        machine_type,
        &proposal.secret_sha256,
        now,
    )
    .fetch_optional(db)
    .await
}

pub async fn by_id(
    db: &mut PgConnection,
    branch: BranchId,
    id: DeviceId,
) -> sqlx::Result<Option<Device>> {
    find(db, branch, None, Some(id)).await
}

/// By one of them.
async fn find(
    db: &mut PgConnection,
    branch: BranchId,
    code: Option<&Code>,
    id: Option<DeviceId>,
) -> sqlx::Result<Option<Device>> {
    query_as!(
        Device,
        r#"SELECT id, branch_id, code, kind AS "kind: DeviceKind", name,
                  machine_type AS "machine_type: MachineType", bridge_id, secret_sha256, topics, enabled
         FROM devices WHERE branch_id = $1 AND (code = $2 OR id = $3) AND removed_at IS NULL"#,
        branch.0,
        code.map(Code::as_str),
        id.map(|id| id.0),
    )
    .fetch_optional(db)
    .await
}

/// Changes a device's secret, if it is the former one still. Without a secret it is locked out, which a new
/// one ends; what staff switched off in the cloud stays off.
pub async fn replace_secret(
    db: &mut PgConnection,
    branch: BranchId,
    change: &DeviceSecret,
) -> sqlx::Result<Option<DeviceId>> {
    query_scalar!(
        "UPDATE devices SET secret_sha256 = $3,
             enabled = $3::bytea IS NOT NULL AND (enabled OR secret_sha256 IS NULL)
         WHERE branch_id = $1 AND id = $2 AND removed_at IS NULL
           AND secret_sha256 IS NOT DISTINCT FROM $4 RETURNING id",
        branch.0,
        change.id.0,
        change.secret_sha256.as_ref().map(<[u8; 32]>::as_slice),
        change.former_sha256.as_ref().map(<[u8; 32]>::as_slice),
    )
    .fetch_optional(db)
    .await
}

/// Whether a device is of a branch, or was.
pub async fn is_of(db: &mut PgConnection, branch: BranchId, id: DeviceId) -> sqlx::Result<bool> {
    let found = query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM devices WHERE branch_id = $1 AND id = $2) AS "found!""#,
        branch.0,
        id.0,
    );
    found.fetch_one(db).await
}

pub async fn place_reader(
    db: &mut PgConnection,
    branch: BranchId,
    reader: DeviceId,
    place: ReaderPlace,
) -> sqlx::Result<()> {
    let (place, machine) = match place {
        ReaderPlace::Door => ("door", None),
        ReaderPlace::Entry => ("entry", None),
        ReaderPlace::Exit => ("exit", None),
        ReaderPlace::Machine(machine) => ("machine", Some(machine.0)),
    };
    query!(
        "UPDATE devices SET place = $3, place_machine_id = $4 WHERE id = $2 AND branch_id = $1",
        branch.0,
        reader.0,
        place,
        machine,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps others from changing a device until the transaction ends.
pub async fn hold(db: &mut PgConnection, id: DeviceId) -> sqlx::Result<()> {
    query!("SELECT id FROM devices WHERE id = $1 FOR NO KEY UPDATE", id.0)
        .fetch_optional(db)
        .await?;
    Ok(())
}

pub async fn set_secret(
    db: &mut PgConnection,
    id: DeviceId,
    secret_sha256: &[u8; 32],
) -> sqlx::Result<()> {
    query!("UPDATE devices SET secret_sha256 = $2 WHERE id = $1", id.0, secret_sha256)
        .execute(db)
        .await?;
    Ok(())
}

/// Nobody logs in as it any more. What kind of device it was.
pub async fn remove(
    db: &mut PgConnection,
    id: DeviceId,
    now: OffsetDateTime,
) -> sqlx::Result<DeviceKind> {
    query_scalar!(
        r#"UPDATE devices SET removed_at = $2, enabled = false, secret_sha256 = NULL WHERE id = $1
         RETURNING kind AS "kind: DeviceKind""#,
        id.0,
        now,
    )
    .fetch_one(db)
    .await
}

/// What was said of a machine: in use or out of it, and why.
#[derive(Debug)]
pub struct Condition<'a> {
    pub machine: DeviceId,
    pub is_out: bool,
    pub reason: Option<&'a str>,
    /// When it was said; what was said later counts.
    pub at_ms: i64,
}

/// Whether it is another than before.
pub async fn set_condition(
    db: &mut PgConnection,
    condition: &Condition<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let changed = query_scalar!(
        r#"WITH before AS (
             SELECT id, out_of_use_since IS NOT NULL AS was_out FROM devices
             WHERE id = $1 AND removed_at IS NULL AND COALESCE(condition_at_ms, 0) <= $5
             FOR NO KEY UPDATE
         )
         UPDATE devices
         SET out_of_use_since = CASE WHEN $2 THEN COALESCE(out_of_use_since, $4) END,
             out_of_use_reason = CASE WHEN $2 THEN COALESCE($3, out_of_use_reason) END,
             condition_at_ms = $5
         FROM before WHERE devices.id = before.id
         RETURNING before.was_out <> $2 AS "changed!""#,
        condition.machine.0,
        condition.is_out,
        condition.reason,
        now,
        condition.at_ms,
    );
    Ok(changed.fetch_optional(db).await?.unwrap_or(false))
}
