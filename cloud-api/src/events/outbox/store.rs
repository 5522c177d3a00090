//! SQL of the outbox.

use super::Event;
use crate::ids::UserId;
use serde_json::Value;
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

/// Writes an event; it is told once the caller's transaction is committed.
pub async fn add(
    db: &mut PgConnection,
    kind: &'static str,
    user: Option<UserId>,
    data: &Value,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO outbox (at, kind, user_id, data) VALUES ($1, $2, $3, $4)",
        now,
        kind,
        user.map(|user| user.0),
        data,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether nobody else is telling; until the transaction ends.
pub async fn lock(db: &mut PgConnection) -> sqlx::Result<bool> {
    query_scalar!(r#"SELECT pg_try_advisory_xact_lock($1) AS "locked!""#, TELLING)
        .fetch_one(db)
        .await
}

/// Any number, the same in all instances.
const TELLING: i64 = 0x6779_6d77_6972_6502;

pub async fn untold(db: &mut PgConnection, rows: i64) -> sqlx::Result<Vec<Event>> {
    query_as!(
        Event,
        r#"SELECT id, at, kind, user_id AS "user_id: UserId", data FROM outbox
           WHERE told_at IS NULL ORDER BY id LIMIT $1"#,
        rows,
    )
    .fetch_all(db)
    .await
}

pub async fn set_told(
    db: &mut PgConnection,
    events: &[i64],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!("UPDATE outbox SET told_at = $2 WHERE id = ANY($1)", events, now).execute(db).await?;
    Ok(())
}

pub async fn forget(db: &mut PgConnection, before: OffsetDateTime) -> sqlx::Result<()> {
    query!("DELETE FROM outbox WHERE told_at < $1", before).execute(db).await?;
    Ok(())
}
