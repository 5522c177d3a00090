//! SQL of heartbeats.

use crate::ids::{BranchId, DeviceId};
use protocol::sync::entry::{DeviceState, DeviceStatus};
use sqlx::{PgConnection, query};
use time::OffsetDateTime;
use uuid::Uuid;

/// A status to be kept for good.
pub struct News<'a> {
    pub branch: BranchId,
    pub machine: DeviceId,
    pub status: &'a DeviceStatus,
    pub now: OffsetDateTime,
}

/// Its name in tables and answers.
pub fn name(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Idle => "idle",
        DeviceState::InUse => "in_use",
        DeviceState::Paused => "paused",
        DeviceState::Finished => "finished",
        DeviceState::OutOfOrder => "out_of_order",
        DeviceState::Offline => "offline",
    }
}

/// Keeps a heartbeat; whether it says something else than the last one.
pub async fn keep(
    db: &mut PgConnection,
    branch: BranchId,
    machine: DeviceId,
    status: &DeviceStatus,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let before = query!(
        "SELECT state, error, is_missed FROM machine_beats WHERE machine_id = $1 FOR UPDATE",
        machine.0,
    );
    let before = before.fetch_optional(&mut *db).await?;
    query!(
        "INSERT INTO machine_beats (machine_id, branch_id, state, error, firmware, uptime_ms, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT ON CONSTRAINT machine_beats_pkey
         DO UPDATE SET branch_id = $2, state = $3, error = $4,
             firmware = COALESCE($5, machine_beats.firmware), uptime_ms = $6, at = $7,
             is_missed = false",
        machine.0,
        branch.0,
        name(status.state),
        status.error,
        status.firmware,
        status.uptime_ms.map(u64::cast_signed),
        now,
    )
    .execute(db)
    .await?;
    let is_same = before.is_some_and(|before| {
        before.state == name(status.state) && before.error == status.error && !before.is_missed
    });
    Ok(!is_same)
}

/// Machines that were heard last before a moment, once.
pub async fn miss(
    db: &mut PgConnection,
    before: OffsetDateTime,
) -> sqlx::Result<Vec<(BranchId, DeviceId)>> {
    let missed = query!(
        r#"UPDATE machine_beats SET is_missed = true WHERE NOT is_missed AND at < $1
         RETURNING branch_id AS "branch_id: BranchId", machine_id AS "machine_id: DeviceId""#,
        before,
    );
    let missed = missed.fetch_all(db).await?.into_iter();
    Ok(missed.map(|row| (row.branch_id, row.machine_id)).collect())
}

/// Whether it is out of use, and the link under which somebody has it.
pub async fn condition(
    db: &mut PgConnection,
    machine: DeviceId,
) -> sqlx::Result<(bool, Option<Uuid>)> {
    let row = query!(
        r#"SELECT out_of_use_since IS NOT NULL AS "is_out!", links.id AS "link_id?"
         FROM devices LEFT JOIN links ON machine_id = devices.id AND ended_at IS NULL
         WHERE devices.id = $1"#,
        machine.0,
    );
    let row = row.fetch_one(db).await?;
    Ok((row.is_out, row.link_id))
}

/// A status that no edge has journaled has the nil edge, and a number of the cloud.
pub async fn insert_status(db: &mut PgConnection, new: &News<'_>) -> sqlx::Result<()> {
    query!(
        "INSERT INTO device_statuses
             (edge_id, epoch, seq, branch_id, device_id, boot, mono_ms, at, is_dated, received_at,
              state, firmware, uptime_ms, error)
         VALUES ($1, 0, nextval('cloud_facts_seq'), $2, $3, 0, 0, $4, true, $4, $5, $6, $7, $8)",
        Uuid::nil(),
        new.branch.0,
        new.machine.0,
        new.now,
        name(new.status.state),
        new.status.firmware,
        new.status.uptime_ms.map(u64::cast_signed),
        new.status.error,
    )
    .execute(db)
    .await?;
    Ok(())
}
