//! SQL of workouts as they are shown.

use super::heart::Heart;
use super::model::{MachineExercise, MachineRecord, MachineWorkout};
use super::summary::{Effort, Set};
use crate::http::auth::Scope;
use crate::ids::{BranchId, DeviceId, MemberId};
use sqlx::types::Json;
use sqlx::{PgConnection, query_as};
use time::OffsetDateTime;
use uuid::Uuid;

/// Where a page ended.
type Before = Option<(OffsetDateTime, Uuid)>;

/// Which workouts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    pub member: Option<MemberId>,
    pub branch: Option<BranchId>,
    pub from: Option<OffsetDateTime>,
    pub to: Option<OffsetDateTime>,
    pub before: Before,
    pub rows: i64,
}

/// Of a member, the newest first.
pub async fn own(db: &mut PgConnection, wanted: Wanted) -> sqlx::Result<Vec<MachineWorkout>> {
    let (at, id) = wanted.before.unzip();
    query_as!(
        MachineWorkout,
        r#"SELECT id, member_id AS "member_id: MemberId", branch_id AS "branch_id: BranchId", session_id,
                  started_at, ended_at, sets, reps, volume_kg, moving_s, distance_m, energy_kcal,
                  heart AS "heart: Json<Heart>"
           FROM machine_workouts
           WHERE member_id = $1
             AND ($2::uuid IS NULL OR branch_id = $2)
             AND ($3::timestamptz IS NULL OR started_at >= $3)
             AND ($4::timestamptz IS NULL OR started_at < $4)
             AND ($5::timestamptz IS NULL OR (started_at, id) < ($5, $6::uuid))
           ORDER BY started_at DESC, id DESC LIMIT $7"#,
        wanted.member.map(|id| id.0),
        wanted.branch.map(|id| id.0),
        wanted.from,
        wanted.to,
        at,
        id,
        wanted.rows,
    )
    .fetch_all(db)
    .await
}

/// At branches that are in the scope, without heart rates, the newest first.
pub async fn of_branches(
    db: &mut PgConnection,
    scope: Scope<'_>,
    wanted: Wanted,
) -> sqlx::Result<Vec<MachineWorkout>> {
    let (organization, branches) = scope.parameters();
    let (at, id) = wanted.before.unzip();
    query_as!(
        MachineWorkout,
        r#"SELECT workouts.id, member_id AS "member_id: MemberId", branch_id AS "branch_id: BranchId",
                  session_id, started_at, ended_at, sets, reps, volume_kg, moving_s, distance_m,
                  energy_kcal, NULL::jsonb AS "heart: Json<Heart>"
           FROM machine_workouts AS workouts JOIN branches ON branches.id = branch_id
           WHERE (branches.organization_id = $1 OR branch_id = ANY($2))
             AND ($3::uuid IS NULL OR branch_id = $3)
             AND ($4::uuid IS NULL OR member_id = $4)
             AND ($5::timestamptz IS NULL OR started_at >= $5)
             AND ($6::timestamptz IS NULL OR started_at < $6)
             AND ($7::timestamptz IS NULL OR (started_at, workouts.id) < ($7, $8::uuid))
           ORDER BY started_at DESC, workouts.id DESC LIMIT $9"#,
        organization,
        &branches,
        wanted.branch.map(|id| id.0),
        wanted.member.map(|id| id.0),
        wanted.from,
        wanted.to,
        at,
        id,
        wanted.rows,
    )
    .fetch_all(db)
    .await
}

/// One, whoever's it is.
pub async fn by_id(db: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<MachineWorkout>> {
    query_as!(
        MachineWorkout,
        r#"SELECT id, member_id AS "member_id: MemberId", branch_id AS "branch_id: BranchId", session_id,
                  started_at, ended_at, sets, reps, volume_kg, moving_s, distance_m, energy_kcal,
                  heart AS "heart: Json<Heart>"
           FROM machine_workouts WHERE id = $1"#,
        id,
    )
    .fetch_optional(db)
    .await
}

/// Whether a branch is in the scope.
pub async fn is_in(
    db: &mut PgConnection,
    scope: Scope<'_>,
    branch: BranchId,
) -> sqlx::Result<bool> {
    let (organization, branches) = scope.parameters();
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM branches
             WHERE id = $3 AND (organization_id = $1 OR id = ANY($2))) AS "found!""#,
        organization,
        &branches,
        branch.0,
    );
    found.fetch_one(db).await
}

pub async fn exercises(db: &mut PgConnection, workout: Uuid) -> sqlx::Result<Vec<MachineExercise>> {
    query_as!(
        MachineExercise,
        r#"SELECT machine_id AS "machine_id: DeviceId", exercise, name, started_at, ended_at,
                  sets AS "sets: Json<Vec<Set>>", effort AS "effort: Json<Effort>",
                  heart AS "heart: Json<Heart>", is_late
           FROM machine_exercises WHERE workout_id = $1 ORDER BY place"#,
        workout,
    )
    .fetch_all(db)
    .await
}

/// Of a member, by exercise.
pub async fn records(
    db: &mut PgConnection,
    member: MemberId,
    exercise: Option<&str>,
) -> sqlx::Result<Vec<MachineRecord>> {
    query_as!(
        MachineRecord,
        r#"SELECT exercise, name, measure,
                  CASE WHEN weight_cg > 0 THEN weight_cg::float8 / 100 END AS weight_kg,
                  value, previous, abs(value - previous) * 100 / previous AS improvement_pct,
                  achieved_at, workout_id
           FROM machine_records WHERE member_id = $1 AND ($2::text IS NULL OR exercise = $2)
           ORDER BY exercise, measure, weight_cg"#,
        member.0,
        exercise,
    )
    .fetch_all(db)
    .await
}
