//! What is out of date. Marks are written in the transaction that changes what a workout is made of.

use crate::ids::{BranchId, DeviceId, MemberId};
use sqlx::{PgConnection, query};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// What folding changed.
#[derive(Debug, Default)]
pub struct Folded {
    pub stays: Vec<(Uuid, MemberId)>,
    /// With the machine and when it was taken.
    pub links: Vec<(Uuid, DeviceId, OffsetDateTime)>,
    pub sets: Vec<Uuid>,
}

/// Before stays since a moment are folded anew: those that may not come again.
pub async fn mark_since(
    db: &mut PgConnection,
    branches: &[Uuid],
    from: OffsetDateTime,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO stale_workouts (workout_id, first_marked_at, last_marked_at)
         SELECT id, $3, $3 FROM gym_sessions
         WHERE branch_id = ANY($1) AND (ended_at IS NULL OR ended_at >= $2) ORDER BY id
         ON CONFLICT ON CONSTRAINT stale_workouts_pkey DO UPDATE SET last_marked_at = $3",
        branches,
        from,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// After folding: the workouts of what changed, and days of machines.
pub async fn mark_folded(
    db: &mut PgConnection,
    folded: &Folded,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let (stays, members): (Vec<_>, Vec<_>) =
        folded.stays.iter().map(|(id, member)| (*id, member.0)).unzip();
    let links: Vec<_> = folded.links.iter().map(|(id, ..)| *id).collect();
    query!(
        "INSERT INTO stale_workouts (workout_id, first_marked_at, last_marked_at)
         SELECT id, $5, $5 FROM (
             SELECT UNNEST($1::uuid[]) AS id
             UNION SELECT stay_of(member_id, branch_id, started_at) FROM links
                 WHERE id = ANY($2)
                    OR id IN (SELECT link_id FROM finished_sets WHERE set_id = ANY($3))
             UNION SELECT id FROM workout_assignments WHERE member_id = ANY($4)
         ) AS marked WHERE id IS NOT NULL ORDER BY id
         ON CONFLICT ON CONSTRAINT stale_workouts_pkey DO UPDATE SET last_marked_at = $5",
        &stays,
        &links,
        &folded.sets,
        &members,
        now,
    )
    .execute(&mut *db)
    .await?;
    mark_sets(db, folded, now).await
}

/// A set without an id of its own is named after its place in the journal.
async fn mark_sets(
    db: &mut PgConnection,
    folded: &Folded,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let (epochs, seqs): (Vec<_>, Vec<_>) = folded
        .sets
        .iter()
        .map(Uuid::as_u64_pair)
        .map(|(epoch, seq)| (epoch.cast_signed(), seq.cast_signed()))
        .unzip();
    query!(
        "INSERT INTO stale_workouts (workout_id, first_marked_at, last_marked_at)
         SELECT id, $3, $3 FROM (
             SELECT DISTINCT stay_of(links.member_id, links.branch_id, links.started_at) AS id
             FROM UNNEST($1::bigint[], $2::bigint[]) AS named (epoch, seq)
             JOIN finished_sets ON finished_sets.seq = named.seq
                 AND finished_sets.epoch = named.epoch AND set_id IS NULL
             JOIN links ON links.id = link_id
         ) AS marked WHERE id IS NOT NULL ORDER BY id
         ON CONFLICT ON CONSTRAINT stale_workouts_pkey DO UPDATE SET last_marked_at = $3",
        &epochs,
        &seqs,
        now,
    )
    .execute(&mut *db)
    .await?;
    let machines: Vec<_> = folded.links.iter().map(|(_, machine, _)| machine.0).collect();
    let days: Vec<_> = folded.links.iter().map(|(_, _, at)| at.date()).collect();
    query!(
        "INSERT INTO stale_orphans (machine_id, day, first_marked_at, last_marked_at)
         SELECT machine_id, day, $6, $6 FROM (
             SELECT * FROM UNNEST($1::uuid[], $2::date[]) AS taken (machine_id, day)
             UNION SELECT device_id, (at AT TIME ZONE 'UTC')::date FROM finished_sets
                 WHERE set_id = ANY($3)
             UNION SELECT device_id, (at AT TIME ZONE 'UTC')::date
                 FROM UNNEST($4::bigint[], $5::bigint[]) AS named (epoch, seq)
                 JOIN finished_sets ON finished_sets.seq = named.seq
                     AND finished_sets.epoch = named.epoch AND set_id IS NULL
         ) AS marked ORDER BY machine_id, day
         ON CONFLICT ON CONSTRAINT stale_orphans_pkey DO UPDATE SET last_marked_at = $6",
        &machines,
        &days,
        &folded.sets,
        &epochs,
        &seqs,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// After the samples of an hour of a machine changed: the workouts that they are part of.
pub async fn mark_measured(
    db: &mut PgConnection,
    machine: DeviceId,
    hour: OffsetDateTime,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let to = hour.saturating_add(Duration::HOUR);
    query!(
        "INSERT INTO stale_workouts (workout_id, first_marked_at, last_marked_at)
         SELECT id, $4, $4 FROM (
             SELECT stay_of(member_id, branch_id, started_at) AS id FROM links
                 WHERE machine_id = $1 AND started_at < $3 AND (ended_at IS NULL OR ended_at >= $2)
             UNION SELECT COALESCE(session_id, stay_of(member_id, branch_id, from_at), id)
                 FROM workout_assignments
                 WHERE machine_id = $1 AND from_at < $3 AND to_at >= $2 AND member_id IS NOT NULL
         ) AS marked WHERE id IS NOT NULL ORDER BY id
         ON CONFLICT ON CONSTRAINT stale_workouts_pkey DO UPDATE SET last_marked_at = $4",
        machine.0,
        hour,
        to,
        now,
    )
    .execute(&mut *db)
    .await?;
    mark_day(db, machine, hour, now).await
}

/// The orphans of a machine on the day of a moment.
pub async fn mark_day(
    db: &mut PgConnection,
    machine: DeviceId,
    at: OffsetDateTime,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO stale_orphans (machine_id, day, first_marked_at, last_marked_at)
         VALUES ($1, $2, $3, $3)
         ON CONFLICT ON CONSTRAINT stale_orphans_pkey DO UPDATE SET last_marked_at = $3",
        machine.0,
        at.date(),
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Some workouts, in order.
pub async fn mark(
    db: &mut PgConnection,
    workouts: &[Uuid],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO stale_workouts (workout_id, first_marked_at, last_marked_at)
         SELECT DISTINCT id, $2::timestamptz, $2::timestamptz
         FROM UNNEST($1::uuid[]) AS marked (id) ORDER BY id
         ON CONFLICT ON CONSTRAINT stale_workouts_pkey DO UPDATE SET last_marked_at = $2",
        workouts,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// All workouts of a member, e.g. since they agree to what they did not agree to before.
pub async fn mark_member(
    db: &mut PgConnection,
    member: MemberId,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO stale_workouts (workout_id, first_marked_at, last_marked_at)
         SELECT id, $2, $2 FROM machine_workouts WHERE member_id = $1 ORDER BY id
         ON CONFLICT ON CONSTRAINT stale_workouts_pkey DO UPDATE SET last_marked_at = $2",
        member.0,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes one that was left alone since, or has waited since; nobody else takes it meanwhile, and who marks it waits. It is
/// up to date with the caller's transaction.
pub async fn take_workout(
    db: &mut PgConnection,
    quiet_since: OffsetDateTime,
    waiting_since: OffsetDateTime,
) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "DELETE FROM stale_workouts WHERE workout_id = (
             SELECT workout_id FROM stale_workouts
             WHERE last_marked_at <= $1 OR first_marked_at <= $2
             ORDER BY first_marked_at, workout_id LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING workout_id",
        quiet_since,
        waiting_since,
    )
    .fetch_optional(db)
    .await
}

/// The same for days of machines.
pub async fn take_day(
    db: &mut PgConnection,
    quiet_since: OffsetDateTime,
    waiting_since: OffsetDateTime,
) -> sqlx::Result<Option<(DeviceId, time::Date)>> {
    let taken = query!(
        r#"DELETE FROM stale_orphans WHERE (machine_id, day) = (
             SELECT machine_id, day FROM stale_orphans
             WHERE last_marked_at <= $1 OR first_marked_at <= $2
             ORDER BY first_marked_at, machine_id, day LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING machine_id AS "machine_id: DeviceId", day"#,
        quiet_since,
        waiting_since,
    );
    Ok(taken.fetch_optional(db).await?.map(|row| (row.machine_id, row.day)))
}

/// Marks one again that could not be worked out: after the others.
pub async fn postpone(db: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> sqlx::Result<()> {
    query!(
        "UPDATE stale_workouts SET first_marked_at = $2, last_marked_at = $2 WHERE workout_id = $1",
        id,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A branch is named where machines are.
pub async fn branch_of(db: &mut PgConnection, machine: DeviceId) -> sqlx::Result<Option<BranchId>> {
    sqlx::query_scalar!(
        r#"SELECT branch_id AS "id: BranchId" FROM devices WHERE id = $1"#,
        machine.0
    )
    .fetch_optional(db)
    .await
}
