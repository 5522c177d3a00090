//! SQL of accounts elsewhere, and of codes with which an app takes over a sign-in that a browser made.

use crate::ids::UserId;
use sqlx::{PgConnection, query, query_scalar};
use time::OffsetDateTime;

pub async fn user(
    db: &mut PgConnection,
    provider: &str,
    subject: &str,
) -> sqlx::Result<Option<UserId>> {
    query_scalar!(
        r#"SELECT user_id AS "user: UserId" FROM identities WHERE provider = $1 AND subject = $2"#,
        provider,
        subject,
    )
    .fetch_optional(db)
    .await
}

/// Until the transaction ends, nobody else looks for this account: of several first requests one makes it.
pub async fn lock(db: &mut PgConnection, provider: &str, subject: &str) -> sqlx::Result<()> {
    query!("SELECT pg_advisory_xact_lock(hashtextextended($1 || ':' || $2, 0))", provider, subject)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn insert(
    db: &mut PgConnection,
    provider: &str,
    subject: &str,
    user: UserId,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO identities (provider, subject, user_id, created_at) VALUES ($1, $2, $3, $4)",
        provider,
        subject,
        user.0,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn add_code(
    db: &mut PgConnection,
    digest: &[u8; 32],
    user: UserId,
    challenge: &str,
    expires_at: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO sign_in_codes (digest, user_id, challenge, expires_at) VALUES ($1, $2, $3, $4)",
        digest,
        user.0,
        challenge,
        expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whose code it was, and the challenge that goes with it. It is good no longer.
pub async fn take_code(
    db: &mut PgConnection,
    digest: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<Option<(UserId, String)>> {
    let taken = query!(
        r#"DELETE FROM sign_in_codes WHERE digest = $1 AND expires_at > $2
           RETURNING user_id AS "user: UserId", challenge"#,
        digest,
        now,
    );
    Ok(taken.fetch_optional(db).await?.map(|row| (row.user, row.challenge)))
}
