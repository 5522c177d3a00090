//! SQL of the domain.

use super::model::{Rule, SecurityEvent};
use crate::ids::{OrganizationId, UserId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

/// Logins of the recent past.
pub struct Seen {
    pub logins: i64,
    pub addresses: i64,
}

pub async fn recent_logins(
    db: &mut PgConnection,
    user: UserId,
    since: OffsetDateTime,
) -> sqlx::Result<Seen> {
    query_as!(
        Seen,
        r#"SELECT count(*) AS "logins!", count(DISTINCT address) AS "addresses!" FROM logins
           WHERE user_id = $1 AND created_at > $2 AND end_reason IS DISTINCT FROM 'locked'"#,
        user.0,
        since,
    )
    .fetch_one(db)
    .await
}

pub async fn recent_exports(
    db: &mut PgConnection,
    user: UserId,
    since: OffsetDateTime,
) -> sqlx::Result<i64> {
    query_scalar!(
        r#"SELECT count(*) AS "asked!" FROM exports WHERE user_id = $1 AND asked_at > $2"#,
        user.0,
        since,
    )
    .fetch_one(db)
    .await
}

/// How often something was noticed since the account was locked for it last.
pub async fn count(
    db: &mut PgConnection,
    user: UserId,
    rule: Rule,
    since: OffsetDateTime,
) -> sqlx::Result<i64> {
    query_scalar!(
        r#"SELECT count(*) AS "times!" FROM security_events
           WHERE user_id = $1 AND rule = $2 AND at > $3 AND id > COALESCE(
               (SELECT max(id) FROM security_events
                WHERE user_id = $1 AND rule = $2 AND is_locked), 0)"#,
        user.0,
        rule as Rule,
        since,
    )
    .fetch_one(db)
    .await
}

pub async fn insert(
    db: &mut PgConnection,
    user: UserId,
    rule: Rule,
    is_locked: bool,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO security_events (at, user_id, rule, is_locked) VALUES ($1, $2, $3, $4)",
        now,
        user.0,
        rule as Rule,
        is_locked,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// How much somebody has not seen of what was noticed about their account.
pub async fn unread(db: &mut PgConnection, user: UserId) -> sqlx::Result<i64> {
    query_scalar!(
        r#"SELECT count(*) AS "unread!" FROM security_events JOIN users ON users.id = user_id
           WHERE user_id = $1 AND security_events.id > security_seen_id"#,
        user.0,
    )
    .fetch_one(db)
    .await
}

/// They have seen all up to now.
pub async fn mark_read(db: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    query!(
        "UPDATE users SET security_seen_id = GREATEST(security_seen_id, COALESCE(
             (SELECT max(id) FROM security_events WHERE user_id = $1), 0))
         WHERE id = $1",
        user.0,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What was noticed of people of an organization, or of one of them, the newest first.
pub async fn list(
    db: &mut PgConnection,
    organization: OrganizationId,
    only: Option<UserId>,
    before: Option<i64>,
    rows: i64,
) -> sqlx::Result<Vec<SecurityEvent>> {
    query_as!(
        SecurityEvent,
        r#"SELECT security_events.id, at, user_id AS "user_id: UserId", rule AS "rule: Rule",
                  is_locked
           FROM security_events JOIN users ON users.id = user_id
           WHERE organization_id = $1 AND ($2::bigint IS NULL OR security_events.id < $2)
               AND ($4::uuid IS NULL OR user_id = $4)
           ORDER BY security_events.id DESC LIMIT $3"#,
        organization.0,
        before,
        rows,
        only.map(|user| user.0),
    )
    .fetch_all(db)
    .await
}
