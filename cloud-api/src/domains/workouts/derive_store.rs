//! SQL of what workouts are made of, and of what they came to.

use super::heart::Heart;
use super::summary::{Exercise, StoredSet};
use crate::ids::{BranchId, DeviceId, MemberId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

/// Data that comes later than this is no record, and nobody is told of it.
pub const LATE: Duration = Duration::days(7);

/// What a workout is: a stay, or what staff assigned without one.
#[derive(Debug, Clone)]
pub struct Frame {
    pub id: Uuid,
    pub member_id: MemberId,
    pub branch_id: BranchId,
    pub session_id: Option<Uuid>,
    pub started_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
}

/// It, if it is there (still).
pub async fn frame(db: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Frame>> {
    query_as!(
        Frame,
        r#"SELECT id AS "id!", member_id AS "member_id!: MemberId", branch_id AS "branch_id!: BranchId",
                  session_id, started_at AS "started_at!", ended_at
           FROM (
               SELECT id, member_id, branch_id, id AS session_id, started_at, ended_at
               FROM gym_sessions WHERE id = $1 AND end_reason IS DISTINCT FROM 'rejected'
               UNION ALL
               SELECT id, member_id, branch_id, NULL, from_at, to_at FROM workout_assignments
               WHERE id = $1 AND member_id IS NOT NULL
                 AND NOT EXISTS (SELECT FROM gym_sessions WHERE gym_sessions.id = session_id)
                 AND stay_of(member_id, branch_id, from_at) IS NULL
           ) AS frames"#,
        id,
    )
    .fetch_optional(db)
    .await
}

/// When a member had a machine.
#[derive(Debug)]
pub struct Had {
    pub id: Uuid,
    pub machine_id: DeviceId,
    pub machine_name: String,
    pub from: OffsetDateTime,
    pub to: Option<OffsetDateTime>,
    /// Not by a link, but since staff said so: what others had a link for is not theirs.
    pub is_assigned: bool,
}

/// Every stretch of a workout.
pub async fn stretches(db: &mut PgConnection, frame: &Frame) -> sqlx::Result<Vec<Had>> {
    query_as!(
        Had,
        r#"SELECT had.id AS "id!", machine_id AS "machine_id!: DeviceId", name AS "machine_name!",
                  from_at AS "from!", to_at AS "to", is_assigned AS "is_assigned!"
           FROM (
               SELECT id, machine_id, started_at AS from_at, ended_at AS to_at, false AS is_assigned
               FROM links
               WHERE member_id = $2 AND branch_id = $3 AND started_at >= $4
                 AND ($5::timestamptz IS NULL OR started_at <= $5)
                 AND end_reason IS DISTINCT FROM 'rejected'
                 AND stay_of(member_id, branch_id, started_at) = $1
               UNION ALL
               SELECT id, machine_id, from_at, to_at, true FROM workout_assignments
               WHERE member_id = $2
                 AND COALESCE((SELECT gym_sessions.id FROM gym_sessions WHERE gym_sessions.id = session_id),
                              stay_of(member_id, branch_id, from_at), id) = $1
           ) AS had JOIN devices ON devices.id = machine_id
           ORDER BY from_at, had.id"#,
        frame.id,
        frame.member_id.0,
        frame.branch_id.0,
        frame.started_at,
        frame.ended_at,
    )
    .fetch_all(db)
    .await
}

/// Links of a machine that reach into a stretch.
pub async fn links_between(
    db: &mut PgConnection,
    machine: DeviceId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> sqlx::Result<Vec<(OffsetDateTime, Option<OffsetDateTime>)>> {
    let rows = query!(
        "SELECT started_at, ended_at FROM links
         WHERE machine_id = $1 AND started_at < $3 AND (ended_at IS NULL OR ended_at > $2)
           AND end_reason IS DISTINCT FROM 'rejected'
           AND stay_of(member_id, branch_id, started_at) IS NOT NULL",
        machine.0,
        from,
        to,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows.map(|row| (row.started_at, row.ended_at)).collect())
}

/// Sets of a link.
pub async fn sets_of(db: &mut PgConnection, links: &[Uuid]) -> sqlx::Result<Vec<StoredSet>> {
    query_as!(
        StoredSet,
        r#"SELECT device_id AS machine_id, device_boot, device_seq, at, exercise,
                  name AS machine_name, reps, weight_cg, duration_ms, rom_mm,
                  received_at > at + $2::interval AS "is_late!"
           FROM finished_sets JOIN devices ON devices.id = device_id
           WHERE link_id = ANY($1)"#,
        links,
        interval(LATE),
    )
    .fetch_all(db)
    .await
}

/// Sets at a machine that are nobody's.
pub async fn sets_between(
    db: &mut PgConnection,
    machine: DeviceId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> sqlx::Result<Vec<StoredSet>> {
    query_as!(
        StoredSet,
        r#"SELECT device_id AS machine_id, device_boot, device_seq, at, exercise,
                  name AS machine_name, reps, weight_cg, duration_ms, rom_mm,
                  received_at > at + $4::interval AS "is_late!"
           FROM finished_sets JOIN devices ON devices.id = device_id
           WHERE device_id = $1 AND at >= $2 AND at < $3 AND link_id IS NULL AND is_dated"#,
        machine.0,
        from,
        to,
        interval(LATE),
    )
    .fetch_all(db)
    .await
}

fn interval(span: Duration) -> sqlx::postgres::types::PgInterval {
    let days = i32::try_from(span.whole_days()).unwrap_or(i32::MAX);
    sqlx::postgres::types::PgInterval { months: 0, days, microseconds: 0 }
}

/// What may be done with the heart rates of a member.
#[derive(Default)]
pub struct About {
    pub date_of_birth: Option<Date>,
    pub has_consent: bool,
}

pub async fn about(db: &mut PgConnection, member: MemberId) -> sqlx::Result<About> {
    query_as!(
        About,
        r#"SELECT date_of_birth,
                  COALESCE((SELECT is_given FROM consents
                            WHERE consents.user_id = members.user_id AND kind = 'health_data'
                            ORDER BY id DESC LIMIT 1), false) AS "has_consent!"
           FROM members LEFT JOIN user_profiles ON user_profiles.user_id = members.user_id
           WHERE members.id = $1"#,
        member.0,
    )
    .fetch_optional(db)
    .await
    .map(Option::unwrap_or_default)
}

/// Until the end of the transaction nobody else works out what a member did.
pub async fn lock_member(db: &mut PgConnection, member: MemberId) -> sqlx::Result<()> {
    query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('gymwire.workouts' || $1::text, 0))",
        member.0.to_string(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A workout as it was, to see what changes: its member, and what it comes to.
pub async fn known(
    db: &mut PgConnection,
    id: Uuid,
) -> sqlx::Result<Option<(MemberId, serde_json::Value)>> {
    let row = query!(
        r#"SELECT member_id AS "member_id: MemberId",
                  to_jsonb(machine_workouts) - 'heart' AS "says!" FROM machine_workouts WHERE id = $1"#,
        id,
    );
    Ok(row.fetch_optional(db).await?.map(|row| (row.member_id, row.says)))
}

/// Takes a workout away; the exercises that it had.
pub async fn remove(db: &mut PgConnection, id: Uuid) -> sqlx::Result<Vec<String>> {
    let had =
        query_scalar!("SELECT DISTINCT exercise FROM machine_exercises WHERE workout_id = $1", id);
    let had = had.fetch_all(&mut *db).await?;
    query!("DELETE FROM machine_workouts WHERE id = $1", id).execute(db).await?;
    Ok(had)
}

/// Sums over the exercises of a workout.
pub struct Totals {
    pub sets: i32,
    pub reps: i32,
    pub volume_kg: f64,
    pub moving_s: f64,
    pub distance_m: f64,
    pub energy_kcal: f64,
    pub heart: Option<Heart>,
}

/// Writes a workout that was taken away before.
pub async fn write(
    db: &mut PgConnection,
    frame: &Frame,
    totals: &Totals,
    exercises: &[Exercise],
) -> anyhow::Result<()> {
    query!(
        "INSERT INTO machine_workouts (id, member_id, branch_id, session_id, started_at, ended_at,
             sets, reps, volume_kg, moving_s, distance_m, energy_kcal, heart)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        frame.id,
        frame.member_id.0,
        frame.branch_id.0,
        frame.session_id,
        frame.started_at,
        frame.ended_at,
        totals.sets,
        totals.reps,
        totals.volume_kg,
        totals.moving_s,
        totals.distance_m,
        totals.energy_kcal,
        totals.heart.map(serde_json::to_value).transpose()?,
    )
    .execute(&mut *db)
    .await?;
    for (place, exercise) in (0..).zip(exercises) {
        query!(
            "INSERT INTO machine_exercises (workout_id, place, member_id, machine_id, stretch_id,
                 exercise, name, started_at, ended_at, sets, effort, heart, is_late)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            frame.id,
            place,
            frame.member_id.0,
            exercise.machine_id,
            exercise.stretch_id,
            exercise.key,
            exercise.name,
            exercise.started_at,
            exercise.ended_at,
            serde_json::to_value(&exercise.sets)?,
            exercise.effort.as_ref().map(serde_json::to_value).transpose()?,
            exercise.heart.map(serde_json::to_value).transpose()?,
            exercise.is_late,
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}
