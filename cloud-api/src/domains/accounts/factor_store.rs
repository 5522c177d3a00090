//! SQL of second factors.

use crate::ids::UserId;
use sqlx::{PgConnection, query, query_as};
use time::OffsetDateTime;

/// A second factor; its secret is sealed.
#[derive(Debug)]
pub struct Factor {
    pub secret: Vec<u8>,
    pub confirmed_at: Option<OffsetDateTime>,
}

/// Puts a new one in place of one that was never confirmed; `false` if there is one that was.
pub async fn begin(
    db: &mut PgConnection,
    user: UserId,
    secret: &[u8],
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let begun = query!(
        "INSERT INTO second_factors AS known (user_id, secret, created_at) VALUES ($1, $2, $3)
         ON CONFLICT ON CONSTRAINT second_factors_pkey
         DO UPDATE SET secret = $2, created_at = $3, last_step = 0
         WHERE known.confirmed_at IS NULL",
        user.0,
        secret,
        now,
    );
    Ok(begun.execute(db).await?.rows_affected() == 1)
}

pub async fn find(db: &mut PgConnection, user: UserId) -> sqlx::Result<Option<Factor>> {
    query_as!(Factor, "SELECT secret, confirmed_at FROM second_factors WHERE user_id = $1", user.0,)
        .fetch_optional(db)
        .await
}

/// Uses a step of time up; `false` if it was.
pub async fn use_step(db: &mut PgConnection, user: UserId, step: i64) -> sqlx::Result<bool> {
    let update = query!(
        "UPDATE second_factors SET last_step = $2 WHERE user_id = $1 AND last_step < $2",
        user.0,
        step,
    );
    Ok(update.execute(db).await?.rows_affected() == 1)
}

pub async fn confirm(
    db: &mut PgConnection,
    user: UserId,
    recovery: &[Vec<u8>],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!("UPDATE second_factors SET confirmed_at = $2 WHERE user_id = $1", user.0, now)
        .execute(&mut *db)
        .await?;
    query!(
        "INSERT INTO recovery_codes (user_id, digest)
         SELECT $1, digest FROM unnest($2::bytea[]) AS codes (digest)",
        user.0,
        recovery,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Uses a recovery code up; `false` if there is no such code.
pub async fn use_recovery(
    db: &mut PgConnection,
    user: UserId,
    digest: &[u8; 32],
) -> sqlx::Result<bool> {
    let update =
        query!("DELETE FROM recovery_codes WHERE user_id = $1 AND digest = $2", user.0, digest);
    Ok(update.execute(db).await?.rows_affected() == 1)
}

pub async fn remove(db: &mut PgConnection, user: UserId) -> sqlx::Result<bool> {
    let removed = query!("DELETE FROM second_factors WHERE user_id = $1", user.0);
    Ok(removed.execute(db).await?.rows_affected() == 1)
}
