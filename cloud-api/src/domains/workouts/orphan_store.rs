//! SQL of orphans and of what staff decide about them.

use super::orphan::{Cover, Orphan, Piece};
use super::orphans::WorkoutOrphan;
use crate::http::auth::Scope;
use crate::ids::{BranchId, DeviceId, MemberId, UserId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// Minutes in which a machine was worked at.
pub async fn minutes(
    db: &mut PgConnection,
    machine: DeviceId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> sqlx::Result<Vec<Piece>> {
    query_as!(
        Piece,
        r#"SELECT at AS "from!", at + interval '1 minute' AS "to!",
                  COALESCE(distance_m_gain, 0) AS "distance_m!",
                  COALESCE(energy_kcal_gain, 0) AS "energy_kcal!",
                  NULL::integer AS reps, NULL::float8 AS weight_kg
           FROM telemetry_rollups_1m
           WHERE machine_id = $1 AND at >= $2 AND at < $3
             AND (speed_mps_max > 0.1 OR power_w_max > 0 OR cadence_rpm_max > 0
                  OR stroke_rate_spm_max > 0 OR distance_m_gain > 0 OR energy_kcal_gain > 0)"#,
        machine.0,
        from,
        to,
    )
    .fetch_all(db)
    .await
}

/// Sets that are nobody's.
pub async fn sets(
    db: &mut PgConnection,
    machine: DeviceId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> sqlx::Result<Vec<Piece>> {
    query_as!(
        Piece,
        r#"SELECT at AS "from!", at + interval '1 second' AS "to!", 0::float8 AS "distance_m!",
                  0::float8 AS "energy_kcal!", reps, weight_cg::float8 / 100 AS weight_kg
           FROM finished_sets
           WHERE device_id = $1 AND at >= $2 AND at < $3 AND is_dated
             AND (link_id IS NULL OR NOT EXISTS (SELECT FROM links WHERE links.id = link_id))"#,
        machine.0,
        from,
        to,
    )
    .fetch_all(db)
    .await
}

/// When a machine was somebody's, or what staff decided about it.
pub async fn covers(
    db: &mut PgConnection,
    machine: DeviceId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> sqlx::Result<Vec<Cover>> {
    let mut covers = super::derive_store::links_between(db, machine, from, to).await?;
    let decided = query!(
        "SELECT from_at, to_at FROM workout_assignments
         WHERE machine_id = $1 AND from_at < $3 AND to_at > $2",
        machine.0,
        from,
        to,
    );
    let decided = decided.fetch_all(db).await?.into_iter();
    covers.extend(decided.map(|row| (row.from_at, Some(row.to_at))));
    Ok(covers)
}

/// Replaces the orphans of a day of a machine.
pub async fn replace(
    db: &mut PgConnection,
    branch: BranchId,
    machine: DeviceId,
    day: Date,
    found: &[Orphan],
) -> sqlx::Result<()> {
    query!("DELETE FROM workout_orphans WHERE machine_id = $1 AND day = $2", machine.0, day)
        .execute(&mut *db)
        .await?;
    for orphan in found {
        query!(
            "INSERT INTO workout_orphans (id, branch_id, machine_id, day, started_at, ended_at, sets,
                 reps, max_weight_kg, distance_m, energy_kcal)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            orphan.id(machine),
            branch.0,
            machine.0,
            day,
            orphan.from,
            orphan.to,
            orphan.sets,
            orphan.reps,
            orphan.max_weight_kg,
            orphan.distance_m,
            orphan.energy_kcal,
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Where a page ended.
type Before = Option<(OffsetDateTime, Uuid)>;

/// Orphans that are in the scope, the newest first.
pub async fn list(
    db: &mut PgConnection,
    scope: Scope<'_>,
    branch: Option<BranchId>,
    before: Before,
    rows: i64,
) -> sqlx::Result<Vec<WorkoutOrphan>> {
    let (organization, branches) = scope.parameters();
    let (at, id) = before.unzip();
    query_as!(
        WorkoutOrphan,
        r#"SELECT orphans.id, orphans.branch_id AS "branch_id: BranchId",
                  machine_id AS "machine_id: DeviceId", devices.name AS machine_name,
                  orphans.started_at, orphans.ended_at, sets, reps, max_weight_kg, distance_m, energy_kcal
           FROM workout_orphans AS orphans
           JOIN branches ON branches.id = orphans.branch_id
           JOIN devices ON devices.id = machine_id
           WHERE (branches.organization_id = $1 OR orphans.branch_id = ANY($2))
             AND ($3::uuid IS NULL OR orphans.branch_id = $3)
             AND ($4::timestamptz IS NULL OR (orphans.started_at, orphans.id) < ($4, $5::uuid))
           ORDER BY orphans.started_at DESC, orphans.id DESC LIMIT $6"#,
        organization,
        &branches,
        branch.map(|id| id.0),
        at,
        id,
        rows,
    )
    .fetch_all(db)
    .await
}

/// Takes one away that is in the scope, to decide about it: of two who do so at once one finds it.
pub async fn take(
    db: &mut PgConnection,
    scope: Scope<'_>,
    id: Uuid,
) -> sqlx::Result<Option<WorkoutOrphan>> {
    let (organization, branches) = scope.parameters();
    query_as!(
        WorkoutOrphan,
        r#"DELETE FROM workout_orphans AS orphans USING branches, devices
           WHERE orphans.id = $3 AND branches.id = orphans.branch_id AND devices.id = machine_id
             AND (branches.organization_id = $1 OR orphans.branch_id = ANY($2))
             AND NOT EXISTS (SELECT FROM workout_assignments AS decided
                 WHERE decided.machine_id = orphans.machine_id
                   AND decided.from_at < orphans.ended_at AND decided.to_at > orphans.started_at)
           RETURNING orphans.id, orphans.branch_id AS "branch_id: BranchId",
                  machine_id AS "machine_id: DeviceId", devices.name AS machine_name,
                  orphans.started_at, orphans.ended_at, sets, reps, max_weight_kg, distance_m, energy_kcal"#,
        organization,
        &branches,
        id,
    )
    .fetch_optional(db)
    .await
}

/// Whose it is; nobody's, if nobody is named.
pub struct Decision {
    pub id: Uuid,
    pub owner: Option<(MemberId, Option<Uuid>)>,
    pub by: UserId,
    pub at: OffsetDateTime,
}

pub async fn decide(
    db: &mut PgConnection,
    orphan: &WorkoutOrphan,
    decision: &Decision,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO workout_assignments
             (id, branch_id, machine_id, from_at, to_at, member_id, session_id, decided_by, decided_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        decision.id,
        orphan.branch_id.0,
        orphan.machine_id.0,
        orphan.started_at,
        orphan.ended_at,
        decision.owner.map(|(member, _)| member.0),
        decision.owner.and_then(|(_, session)| session),
        decision.by.0,
        decision.at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whose stay it is, if it was at this branch.
pub async fn member_of_stay(
    db: &mut PgConnection,
    branch: BranchId,
    session: Uuid,
) -> sqlx::Result<Option<MemberId>> {
    query_scalar!(
        r#"SELECT member_id AS "id: MemberId" FROM gym_sessions
           WHERE id = $1 AND branch_id = $2 AND end_reason IS DISTINCT FROM 'rejected'"#,
        session,
        branch.0,
    )
    .fetch_optional(db)
    .await
}

/// The workout that a decision belongs to.
pub async fn workout_of(db: &mut PgConnection, assignment: Uuid) -> sqlx::Result<Option<Uuid>> {
    query_scalar!(
        "SELECT COALESCE(session_id, stay_of(member_id, branch_id, from_at), id)
         FROM workout_assignments WHERE id = $1",
        assignment,
    )
    .fetch_optional(db)
    .await
    .map(Option::flatten)
}
