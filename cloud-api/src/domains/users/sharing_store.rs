//! SQL of who sees what.

use super::sharing::Sharing;
use crate::ids::UserId;
use anyhow::Context;
use serde_json::{Map, Value};
use sqlx::{PgConnection, query};
use time::OffsetDateTime;

/// What was not said is private.
pub async fn sharing(db: &mut PgConnection, user: UserId) -> anyhow::Result<Sharing> {
    let rows = query!("SELECT category, audience FROM user_visibility WHERE user_id = $1", user.0);
    let rows = rows.fetch_all(db).await?.into_iter();
    let said: Map<String, Value> =
        rows.map(|row| (row.category, Value::from(row.audience))).collect();
    serde_json::from_value(Value::Object(said)).context("an unknown category or audience")
}

/// Keeps all of it.
pub async fn keep(
    db: &mut PgConnection,
    user: UserId,
    sharing: &Sharing,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let said = serde_json::to_value(sharing)?;
    let said = said.as_object().into_iter().flatten();
    let (categories, audiences): (Vec<String>, Vec<String>) = said
        .filter_map(|(category, audience)| Some((category.clone(), audience.as_str()?.to_owned())))
        .unzip();
    query!(
        "INSERT INTO user_visibility (user_id, category, audience, updated_at)
         SELECT $1, category, audience, $4
         FROM UNNEST($2::text[], $3::text[]) AS said (category, audience)
         ON CONFLICT ON CONSTRAINT user_visibility_pkey
         DO UPDATE SET audience = excluded.audience, updated_at = excluded.updated_at",
        user.0,
        &categories,
        &audiences,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}
