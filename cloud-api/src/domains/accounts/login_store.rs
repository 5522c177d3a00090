//! SQL of logins and their refresh tokens.

use super::session::Device;
use crate::http::Origin;
use crate::ids::{LoginId, UserId};
use serde::Serialize;
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A device that is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Login {
    pub id: LoginId,
    /// As the app calls its installation.
    pub device_id: Option<String>,
    #[schema(example = "Ada's phone")]
    pub device_name: Option<String>,
    /// As the client calls itself.
    pub user_agent: Option<String>,
    /// Where it was seen last.
    #[schema(example = "192.0.2.7")]
    pub address: String,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub last_used_at: OffsetDateTime,
    /// When it ends if it is not used.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// A refresh token and its login; both rows stay locked.
#[derive(Debug)]
pub struct Presented {
    pub login: LoginId,
    pub user: UserId,
    pub device_id: Option<String>,
    pub expires_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
    pub used_at: Option<OffsetDateTime>,
    pub successor: Option<Vec<u8>>,
}

pub async fn insert(
    db: &mut PgConnection,
    login: LoginId,
    user: UserId,
    device: Option<&Device>,
    origin: &Origin,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO logins (id, user_id, device_id, device_name, user_agent, address,
                             created_at, last_used_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)",
        login.0,
        user.0,
        device.map(|device| device.id.as_str()),
        device.and_then(|device| device.name.as_deref()),
        origin.user_agent,
        origin.address.0.to_string(),
        now,
        expires_at,
    )
    .execute(&mut *db)
    .await?;
    query!("UPDATE users SET last_login_at = $2 WHERE id = $1", user.0, now).execute(db).await?;
    Ok(())
}

/// The login of a session at an external issuer: opened at the first token, prolonged by later ones, never reopened.
pub async fn renew_external(
    db: &mut PgConnection,
    login: LoginId,
    user: UserId,
    origin: &Origin,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO logins AS known (id, user_id, address, created_at, last_used_at, expires_at)
         VALUES ($1, $2, $3, $4, $4, $5)
         ON CONFLICT (id) DO UPDATE SET last_used_at = $4,
             expires_at = greatest(known.expires_at, $5)
         WHERE known.user_id = $2 AND known.ended_at IS NULL",
        login.0,
        user.0,
        origin.address.0.to_string(),
        now,
        expires_at,
    )
    .execute(&mut *db)
    .await?;
    query!("UPDATE users SET last_login_at = $2 WHERE id = $1", user.0, now).execute(db).await?;
    Ok(())
}

pub async fn has_any(db: &mut PgConnection, user: UserId) -> sqlx::Result<bool> {
    query_scalar!(r#"SELECT EXISTS (SELECT FROM logins WHERE user_id = $1) AS "any!""#, user.0)
        .fetch_one(db)
        .await
}

/// By what the app calls itself; without that, by the client's name and address.
pub async fn is_known_device(
    db: &mut PgConnection,
    user: UserId,
    device: Option<&Device>,
    origin: &Origin,
) -> sqlx::Result<bool> {
    query_scalar!(
        r#"SELECT EXISTS (SELECT FROM logins WHERE user_id = $1 AND
               CASE WHEN $2::text IS NULL
                    THEN user_agent IS NOT DISTINCT FROM $3 AND address = $4
                    ELSE device_id = $2 END) AS "known!""#,
        user.0,
        device.map(|device| device.id.as_str()),
        origin.user_agent,
        origin.address.0.to_string(),
    )
    .fetch_one(db)
    .await
}

pub async fn add_refresh(
    db: &mut PgConnection,
    login: LoginId,
    digest: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO refresh_tokens (digest, login_id, issued_at) VALUES ($1, $2, $3)",
        digest,
        login.0,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What a refresh token belongs to. Requests with tokens of one login wait for each other here.
pub async fn presented(
    db: &mut PgConnection,
    digest: &[u8; 32],
) -> sqlx::Result<Option<Presented>> {
    query_as!(
        Presented,
        r#"SELECT login_id AS "login: LoginId", user_id AS "user: UserId", device_id, expires_at,
                  ended_at, used_at, successor
           FROM refresh_tokens JOIN logins ON logins.id = login_id
           WHERE digest = $1 FOR UPDATE OF logins, refresh_tokens"#,
        digest,
    )
    .fetch_optional(db)
    .await
}

pub async fn is_used(db: &mut PgConnection, digest: &[u8]) -> sqlx::Result<bool> {
    let used = query_scalar!(
        r#"SELECT used_at IS NOT NULL AS "used!" FROM refresh_tokens WHERE digest = $1"#,
        digest,
    );
    Ok(used.fetch_optional(db).await?.unwrap_or(true))
}

pub async fn exchange(
    db: &mut PgConnection,
    old: &[u8; 32],
    new: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE refresh_tokens SET used_at = COALESCE(used_at, $3), successor = $2
         WHERE digest = $1",
        old,
        new,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// An answer with this token was lost; another took its place.
pub async fn withdraw(db: &mut PgConnection, digest: &[u8]) -> sqlx::Result<()> {
    query!("DELETE FROM refresh_tokens WHERE digest = $1", digest).execute(db).await?;
    Ok(())
}

pub async fn touch(
    db: &mut PgConnection,
    login: LoginId,
    origin: &Origin,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE logins SET last_used_at = $2, expires_at = $3, address = $4 WHERE id = $1",
        login.0,
        now,
        expires_at,
        origin.address.0.to_string(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends one login of somebody; `false` if there is none that goes on.
pub async fn end(
    db: &mut PgConnection,
    user: UserId,
    login: LoginId,
    reason: &str,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let ended = query!(
        "UPDATE logins SET ended_at = $3, end_reason = $4
         WHERE id = $1 AND user_id = $2 AND ended_at IS NULL",
        login.0,
        user.0,
        now,
        reason,
    );
    Ok(ended.execute(db).await?.rows_affected() == 1)
}

/// Ends all logins of somebody, but perhaps one.
pub async fn end_all(
    db: &mut PgConnection,
    user: UserId,
    but: Option<LoginId>,
    reason: &str,
    now: OffsetDateTime,
) -> sqlx::Result<u64> {
    let ended = query!(
        "UPDATE logins SET ended_at = $3, end_reason = $4
         WHERE user_id = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $2",
        user.0,
        but.map(|login| login.0),
        now,
        reason,
    );
    Ok(ended.execute(db).await?.rows_affected())
}

/// Those that go on, the newest first, after one of them.
pub async fn list(
    db: &mut PgConnection,
    user: UserId,
    after: Option<LoginId>,
    rows: i64,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<Login>> {
    query_as!(
        Login,
        r#"SELECT id AS "id: LoginId", device_id, device_name, user_agent, address, created_at,
                  last_used_at, expires_at
           FROM logins
           WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2
             AND ($3::uuid IS NULL OR id < $3)
           ORDER BY id DESC LIMIT $4"#,
        user.0,
        now,
        after.map(|login| login.0),
        rows,
    )
    .fetch_all(db)
    .await
}

/// Logins that were over for long, with their tokens, and letters' tokens and codes that are over.
pub async fn forget_over(db: &mut PgConnection, before: OffsetDateTime) -> sqlx::Result<()> {
    query!("DELETE FROM logins WHERE expires_at < $1 OR ended_at < $1", before)
        .execute(&mut *db)
        .await?;
    query!("DELETE FROM mail_tokens WHERE expires_at < $1", before).execute(&mut *db).await?;
    query!("DELETE FROM sign_in_codes WHERE expires_at < $1", before).execute(db).await?;
    Ok(())
}
