//! SQL of the domain. The table belongs to `devices`, which alone writes it.

use super::model::{Machine, Sort};
use super::state::{Beat, Present};
use crate::domains::devices::MachineType;
use crate::http::Place;
use crate::http::auth::Scope;
use crate::ids::{BranchId, DeviceId, MemberId, UserId};
use serde_json::Value;
use sqlx::{PgConnection, query, query_as, query_scalar};
use std::collections::HashMap;
use uuid::Uuid;

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
                  number, model, tags, location, enabled, created_at
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
                  number, model, tags, location, enabled, devices.created_at
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

/// Who has machines and who waits for them, as somebody sees it who may train.
pub async fn present(
    db: &mut PgConnection,
    machines: &[Uuid],
    member: Option<MemberId>,
) -> sqlx::Result<HashMap<DeviceId, Present>> {
    let rows = query!(
        r#"SELECT devices.id AS "id!: DeviceId", out_of_use_since IS NOT NULL AS "is_out_of_use!",
                  links.id IS NOT NULL AS "is_taken!",
                  COALESCE(links.member_id = $2, false) AS "is_mine!",
                  COALESCE(waiting.length, 0) AS "waiting!",
                  COALESCE(waiting.is_offered, false) AS "is_offered!",
                  own.place AS "place?", own.offered_until,
                  COALESCE(reported.count, 0) AS "open_reports!",
                  beats.state AS "beat_state?", beats.error AS "beat_error?",
                  beats.at AS "beat_at?"
           FROM devices
           LEFT JOIN links ON links.machine_id = devices.id AND ended_at IS NULL
           LEFT JOIN (SELECT machine_id, count(*) FILTER (WHERE place > 0) AS length,
                             bool_or(place = 0) AS is_offered
                      FROM queue_entries WHERE machine_id = ANY($1) GROUP BY machine_id) AS waiting
               ON waiting.machine_id = devices.id
           LEFT JOIN queue_entries AS own
               ON own.machine_id = devices.id AND own.member_id = $2
           LEFT JOIN (SELECT machine_id, count(*) AS count FROM machine_reports
                      WHERE machine_id = ANY($1) AND closed_at IS NULL GROUP BY machine_id
                     ) AS reported ON reported.machine_id = devices.id
           LEFT JOIN machine_beats AS beats ON beats.machine_id = devices.id
           WHERE devices.id = ANY($1)"#,
        machines,
        member.map(|id| id.0),
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        let state = row.beat_state.and_then(|text| serde_json::from_value(Value::from(text)).ok());
        let beat = state.zip(row.beat_at);
        let present = Present {
            is_taken: row.is_taken,
            is_mine: row.is_mine,
            is_offered: row.is_offered,
            waiting: row.waiting,
            position: row.place,
            offered_until: row.offered_until,
            open_reports: row.open_reports,
            is_out_of_use: row.is_out_of_use,
            beat: beat.map(|(state, at)| Beat { state, error: row.beat_error, at }),
        };
        (row.id, present)
    });
    Ok(rows.collect())
}

/// What somebody is called at the branch.
pub async fn name_of(db: &mut PgConnection, user: UserId) -> sqlx::Result<String> {
    query_scalar!("SELECT name FROM users WHERE id = $1", user.0).fetch_one(db).await
}

/// What a machine is called, unless it was removed.
pub async fn name(db: &mut PgConnection, id: DeviceId) -> sqlx::Result<Option<String>> {
    query_scalar!("SELECT name FROM devices WHERE id = $1 AND removed_at IS NULL", id.0)
        .fetch_optional(db)
        .await
}
