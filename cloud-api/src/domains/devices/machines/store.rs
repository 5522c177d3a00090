//! SQL of the registry of machines.

use super::model::{MachineRecord, MachineSetup};
use crate::domains::devices::MachineType;
use crate::http::Place;
use crate::http::auth::Scope;
use crate::ids::{BranchId, DeviceId, MemberId};
use sqlx::{PgConnection, query, query_scalar};
use uuid::Uuid;

/// Which machines, by name.
pub struct Wanted<'a> {
    pub scope: Scope<'a>,
    pub branch: Option<BranchId>,
    pub machine_type: Option<MachineType>,
    pub tag: Option<&'a str>,
    /// In name, code or number.
    pub text: Option<&'a str>,
    pub only: Option<DeviceId>,
    pub after: Option<Place>,
    pub rows: i64,
}

impl<'a> Wanted<'a> {
    pub fn of(scope: Scope<'a>) -> Self {
        Self {
            scope,
            branch: None,
            machine_type: None,
            tag: None,
            text: None,
            only: None,
            after: None,
            rows: 0,
        }
    }
}

pub async fn list(db: &mut PgConnection, wanted: Wanted<'_>) -> sqlx::Result<Vec<MachineRecord>> {
    let (organization, branches) = wanted.scope.parameters();
    let rows = query!(
        r#"SELECT devices.id, branch_id, code, devices.name, machine_type AS "kind!: MachineType",
                  number, model, tags, location, bridge_id AS "bridge_id: DeviceId", enabled,
                  service_every_h, service_every_days, serviced_at, out_of_use_since,
                  out_of_use_reason, secret_sha256 IS NOT NULL AS "has_secret!",
                  devices.created_at
         FROM devices JOIN branches ON branches.id = branch_id
         WHERE kind = 'machine' AND removed_at IS NULL
             AND (organization_id = $1 OR branch_id = ANY($2))
             AND ($3::uuid IS NULL OR branch_id = $3)
             AND ($4::text IS NULL OR machine_type = $4)
             AND ($5::text IS NULL OR $5 = ANY(tags))
             AND ($6::text IS NULL OR strpos(lower(devices.name), lower($6)) > 0
                  OR strpos(code, lower($6)) > 0 OR number = $6)
             AND ($7::uuid IS NULL OR devices.id = $7)
             AND ($8::text IS NULL OR (devices.name, devices.id) > ($8, $9::uuid))
         ORDER BY devices.name, devices.id LIMIT $10"#,
        organization,
        &branches,
        wanted.branch.map(|id| id.0),
        wanted.machine_type.map(MachineType::name),
        wanted.tag,
        wanted.text,
        wanted.only.map(|id| id.0),
        wanted.after.as_ref().map(|place| place.key.as_str()),
        wanted.after.as_ref().map(|place| place.id),
        wanted.rows,
    )
    .fetch_all(db)
    .await?;
    let records = rows.into_iter().map(|row| MachineRecord {
        id: row.id,
        created_at: row.created_at,
        has_secret: row.has_secret,
        out_of_use_since: row.out_of_use_since,
        out_of_use_reason: row.out_of_use_reason,
        serviced_at: row.serviced_at,
        setup: MachineSetup {
            branch_id: row.branch_id,
            code: row.code,
            name: row.name,
            kind: row.kind,
            number: row.number,
            model: row.model,
            tags: row.tags,
            location: row.location,
            bridge_id: row.bridge_id,
            enabled: row.enabled,
            service_every_h: row.service_every_h,
            service_every_days: row.service_every_days,
        },
    });
    Ok(records.collect())
}

pub async fn update(db: &mut PgConnection, id: DeviceId, setup: &MachineSetup) -> sqlx::Result<()> {
    query!(
        "UPDATE devices SET name = $2, machine_type = $3, number = $4, model = $5, tags = $6,
             location = $7, bridge_id = $8, enabled = $9, service_every_h = $10,
             service_every_days = $11
         WHERE id = $1",
        id.0,
        setup.name,
        setup.kind.name(),
        setup.number,
        setup.model,
        &setup.tags,
        setup.location,
        setup.bridge_id.map(|bridge| bridge.0),
        setup.enabled,
        setup.service_every_h,
        setup.service_every_days,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether a reader is on a machine: without it, it would be one at a door.
pub async fn has_reader(
    db: &mut PgConnection,
    branch: BranchId,
    machine: DeviceId,
) -> sqlx::Result<bool> {
    query_scalar!(
        r#"SELECT EXISTS (SELECT FROM devices
               WHERE branch_id = $1 AND place_machine_id = $2 AND removed_at IS NULL) AS "has!""#,
        branch.0,
        machine.0,
    )
    .fetch_one(db)
    .await
}

pub async fn open_link(db: &mut PgConnection, machine: DeviceId) -> sqlx::Result<Option<Uuid>> {
    query_scalar!("SELECT id FROM links WHERE machine_id = $1 AND ended_at IS NULL", machine.0)
        .fetch_optional(db)
        .await
}

pub async fn waiting(db: &mut PgConnection, machine: DeviceId) -> sqlx::Result<Vec<MemberId>> {
    query_scalar!(
        r#"SELECT member_id AS "id: MemberId" FROM queue_entries WHERE machine_id = $1
         ORDER BY place DESC"#,
        machine.0,
    )
    .fetch_all(db)
    .await
}
