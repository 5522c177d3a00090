//! SQL of accounts elsewhere.

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
