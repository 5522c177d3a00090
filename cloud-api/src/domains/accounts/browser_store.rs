//! SQL of browsers that are signed in.

use crate::ids::{LoginId, UserId};
use sqlx::{PgConnection, query, query_as};
use time::OffsetDateTime;

/// A browser whose login goes on.
pub struct Known {
    pub login: LoginId,
    pub user: UserId,
    pub name: String,
    pub last_used_at: OffsetDateTime,
}

pub async fn insert(db: &mut PgConnection, login: LoginId, digest: &[u8; 32]) -> sqlx::Result<()> {
    query!("INSERT INTO browsers (digest, login_id) VALUES ($1, $2)", digest, login.0)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn find(
    db: &mut PgConnection,
    digest: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<Option<Known>> {
    query_as!(
        Known,
        r#"SELECT logins.id AS "login: LoginId", users.id AS "user: UserId", users.name, last_used_at
           FROM browsers JOIN logins ON logins.id = login_id JOIN users ON users.id = user_id
           WHERE digest = $1 AND ended_at IS NULL AND expires_at > $2"#,
        digest,
        now,
    )
    .fetch_optional(db)
    .await
}

pub async fn touch(
    db: &mut PgConnection,
    login: LoginId,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE logins SET last_used_at = $2, expires_at = $3 WHERE id = $1 AND ended_at IS NULL",
        login.0,
        now,
        expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}
