//! SQL of personal records.

use super::best::{Best, Performed};
use crate::ids::MemberId;
use sqlx::{PgConnection, query, query_scalar};
use uuid::Uuid;

/// All that a member did of an exercise, with what it is called.
pub async fn performed(
    db: &mut PgConnection,
    member: MemberId,
    exercise: &str,
) -> anyhow::Result<(Option<String>, Vec<Performed>)> {
    let rows = query!(
        "SELECT workout_id, name, started_at, sets, effort, is_late FROM machine_exercises
         WHERE member_id = $1 AND exercise = $2 ORDER BY started_at, workout_id, place",
        member.0,
        exercise,
    );
    let rows = rows.fetch_all(db).await?;
    let name = rows.last().map(|row| row.name.clone());
    let performed = rows.into_iter().map(|row| {
        Ok(Performed {
            workout_id: row.workout_id,
            started_at: row.started_at,
            sets: serde_json::from_value(row.sets)?,
            effort: row.effort.map(serde_json::from_value).transpose()?,
            is_late: row.is_late,
        })
    });
    Ok((name, performed.collect::<anyhow::Result<_>>()?))
}

/// Replaces the records of an exercise.
pub async fn replace(
    db: &mut PgConnection,
    member: MemberId,
    exercise: &str,
    name: &str,
    bests: &[Best],
) -> sqlx::Result<()> {
    query!(
        "DELETE FROM machine_records WHERE member_id = $1 AND exercise = $2",
        member.0,
        exercise
    )
    .execute(&mut *db)
    .await?;
    let each = bests.iter();
    query!(
        "INSERT INTO machine_records (member_id, exercise, name, measure, weight_cg, value, previous,
             achieved_at, workout_id)
         SELECT $1, $2, $3, best.* FROM UNNEST($4::text[], $5::bigint[], $6::float8[], $7::float8[],
             $8::timestamptz[], $9::uuid[]) AS best",
        member.0,
        exercise,
        name,
        &each.clone().map(|best| best.measure.to_owned()).collect::<Vec<_>>(),
        &each.clone().map(|best| best.weight_cg).collect::<Vec<_>>(),
        &each.clone().map(|best| best.value).collect::<Vec<_>>(),
        &each.clone().map(|best| best.previous).collect::<Vec<_>>() as &[Option<f64>],
        &each.clone().map(|best| best.at).collect::<Vec<_>>(),
        &each.map(|best| best.workout_id).collect::<Vec<Uuid>>(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that a member is told of a record; `false` if they were before.
pub async fn is_news(
    db: &mut PgConnection,
    member: MemberId,
    exercise: &str,
    best: &Best,
) -> sqlx::Result<bool> {
    let new = query_scalar!(
        "INSERT INTO told_records (member_id, exercise, measure, weight_cg, value)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT ON CONSTRAINT told_records_pkey DO NOTHING RETURNING weight_cg",
        member.0,
        exercise,
        best.measure,
        best.weight_cg,
        best.value,
    );
    Ok(new.fetch_optional(db).await?.is_some())
}
