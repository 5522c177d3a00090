//! Erasing: heart rates of a workout or of all that a member did, and members altogether.

use super::stale;
use crate::domains::telemetry::{Stretch, erase_heart_rates};
use crate::ids::{BranchId, DeviceId, MemberId};
use anyhow::Result;
use sqlx::{PgConnection, query, query_as};
use time::OffsetDateTime;
use uuid::Uuid;

/// When a member had which machine, all of it or of one workout.
async fn stretches(
    db: &mut PgConnection,
    member: MemberId,
    workout: Option<Uuid>,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<Stretch>> {
    query_as!(
        Stretch,
        r#"SELECT branch_id AS "branch!: BranchId", machine_id AS "machine!: DeviceId",
                  from_at AS "from!", to_at AS "to!"
           FROM (
               SELECT branch_id, machine_id, started_at AS from_at, COALESCE(ended_at, $3) AS to_at,
                      stay_of(member_id, branch_id, started_at) AS workout_id
               FROM links WHERE member_id = $1
               UNION ALL
               SELECT branch_id, machine_id, from_at, to_at,
                      COALESCE(session_id, stay_of(member_id, branch_id, from_at), id)
               FROM workout_assignments WHERE member_id = $1
           ) AS had
           WHERE ($2::uuid IS NULL OR workout_id = $2) AND from_at < to_at
           ORDER BY machine_id, from_at"#,
        member.0,
        workout,
        now,
    )
    .fetch_all(db)
    .await
}

/// Erases the heart rates of a workout.
pub async fn of_workout(
    db: &mut PgConnection,
    member: MemberId,
    workout: Uuid,
    now: OffsetDateTime,
) -> Result<()> {
    let stretches = stretches(db, member, Some(workout), now).await?;
    erase_heart_rates(db, &stretches, now).await?;
    query!("UPDATE machine_workouts SET heart = NULL WHERE id = $1", workout)
        .execute(&mut *db)
        .await?;
    query!("UPDATE machine_exercises SET heart = NULL WHERE workout_id = $1", workout)
        .execute(&mut *db)
        .await?;
    Ok(stale::mark(db, &[workout], now).await?)
}

/// Erases all heart rates of a member.
pub async fn hearts_of(db: &mut PgConnection, member: MemberId, now: OffsetDateTime) -> Result<()> {
    let stretches = stretches(db, member, None, now).await?;
    erase_heart_rates(db, &stretches, now).await?;
    query!("UPDATE machine_workouts SET heart = NULL WHERE member_id = $1", member.0)
        .execute(&mut *db)
        .await?;
    query!("UPDATE machine_exercises SET heart = NULL WHERE member_id = $1", member.0)
        .execute(db)
        .await?;
    Ok(())
}

/// Erases what a member did: heart rates for good, workouts and records; what machines measured stays, as nobody's. To be
/// called while their links are still there.
pub async fn member(db: &mut PgConnection, member: MemberId, now: OffsetDateTime) -> Result<()> {
    hearts_of(db, member, now).await?;
    // When they had which machine goes with their links; that it is nobody's any more stays, or staff would be asked whose.
    query!(
        "INSERT INTO workout_assignments (id, branch_id, machine_id, from_at, to_at, decided_at)
         SELECT gen_random_uuid(), branch_id, machine_id, started_at, COALESCE(ended_at, $2), $2
         FROM links WHERE member_id = $1",
        member.0,
        now,
    )
    .execute(&mut *db)
    .await?;
    query!("DELETE FROM machine_workouts WHERE member_id = $1", member.0).execute(&mut *db).await?;
    query!("DELETE FROM machine_records WHERE member_id = $1", member.0).execute(&mut *db).await?;
    query!("DELETE FROM told_records WHERE member_id = $1", member.0).execute(&mut *db).await?;
    // It stays decided that this is not to be looked at again.
    query!(
        "UPDATE workout_assignments SET member_id = NULL, session_id = NULL WHERE member_id = $1",
        member.0
    )
    .execute(db)
    .await?;
    Ok(())
}
