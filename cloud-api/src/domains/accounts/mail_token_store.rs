//! SQL of tokens in letters.

use super::mail_token::Redeemed;
use crate::ids::UserId;
use sqlx::{PgConnection, query, query_as};
use time::OffsetDateTime;

pub async fn replace(
    db: &mut PgConnection,
    digest: &[u8; 32],
    user: UserId,
    purpose: &str,
    email: &str,
    expires_at: OffsetDateTime,
) -> sqlx::Result<()> {
    query!("DELETE FROM mail_tokens WHERE user_id = $1 AND purpose = $2", user.0, purpose)
        .execute(&mut *db)
        .await?;
    query!(
        "INSERT INTO mail_tokens (digest, user_id, purpose, email, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
        digest,
        user.0,
        purpose,
        email,
        expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn take(
    db: &mut PgConnection,
    digest: &[u8; 32],
    purpose: &str,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Redeemed>> {
    query_as!(
        Redeemed,
        r#"DELETE FROM mail_tokens WHERE digest = $1 AND purpose = $2 AND expires_at > $3
           RETURNING user_id AS "user: UserId", email"#,
        digest,
        purpose,
        now,
    )
    .fetch_optional(db)
    .await
}
