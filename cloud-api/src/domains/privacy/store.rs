//! SQL of consents, exports and of what is erased.

use super::export::Export;
use super::model::{Consent, ConsentKind, Decision};
use crate::domains::accounts::Role;
use crate::events::log;
use crate::ids::{ExportId, FileId, MemberId, OrganizationId, UserId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

/// How somebody decided, of all that there is to decide.
pub async fn consents(db: &mut PgConnection, user: UserId) -> sqlx::Result<Vec<Consent>> {
    let decided = query_as!(
        Decision,
        r#"SELECT DISTINCT ON (kind) id, kind AS "kind: ConsentKind", is_given, version, decided_at
           FROM consents WHERE user_id = $1 ORDER BY kind, id DESC"#,
        user.0,
    );
    let decided = decided.fetch_all(db).await?;
    let of = |kind| {
        let found = decided.iter().find(|decision| decision.kind == kind);
        Consent {
            kind,
            is_given: found.is_some_and(|decision| decision.is_given),
            version: found.map(|decision| decision.version.clone()),
            decided_at: found.map(|decision| decision.decided_at),
        }
    };
    Ok(ConsentKind::ALL.into_iter().map(of).collect())
}

pub async fn history(
    db: &mut PgConnection,
    user: UserId,
    before: Option<i64>,
    rows: i64,
) -> sqlx::Result<Vec<Decision>> {
    query_as!(
        Decision,
        r#"SELECT id, kind AS "kind: ConsentKind", is_given, version, decided_at FROM consents
           WHERE user_id = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"#,
        user.0,
        before,
        rows,
    )
    .fetch_all(db)
    .await
}

pub async fn decide(
    db: &mut PgConnection,
    user: UserId,
    kind: ConsentKind,
    is_given: bool,
    version: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO consents (user_id, kind, is_given, version, decided_at)
         VALUES ($1, $2, $3, $4, $5)",
        user.0,
        kind as ConsentKind,
        is_given,
        version,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn forget_usage(db: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    query!("DELETE FROM app_usage WHERE user_id = $1", user.0).execute(db).await?;
    Ok(())
}

/// The newest export of somebody that is not over.
pub async fn export(
    db: &mut PgConnection,
    user: UserId,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Export>> {
    query_as!(
        Export,
        r#"SELECT id AS "id: ExportId", asked_at, ready_at, expires_at,
                  file_id AS "file_id: FileId" FROM exports
           WHERE user_id = $1 AND (expires_at IS NULL OR expires_at > $2)
           ORDER BY id DESC LIMIT 1"#,
        user.0,
        now,
    )
    .fetch_optional(db)
    .await
}

pub async fn add_export(
    db: &mut PgConnection,
    user: UserId,
    now: OffsetDateTime,
) -> sqlx::Result<ExportId> {
    let id = ExportId::new();
    query!("INSERT INTO exports (id, user_id, asked_at) VALUES ($1, $2, $3)", id.0, user.0, now,)
        .execute(db)
        .await?;
    Ok(id)
}

/// Whose export it is, if it is still to be made.
pub async fn pending(
    db: &mut PgConnection,
    id: ExportId,
) -> sqlx::Result<Option<(UserId, String)>> {
    let found = query!(
        r#"SELECT user_id AS "user_id: UserId", email FROM exports JOIN users ON users.id = user_id
           WHERE exports.id = $1 AND ready_at IS NULL FOR UPDATE OF exports"#,
        id.0,
    );
    Ok(found.fetch_optional(db).await?.map(|row| (row.user_id, row.email)))
}

pub async fn finish_export(
    db: &mut PgConnection,
    id: ExportId,
    file: FileId,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE exports SET ready_at = $3, file_id = $2, expires_at = $4 WHERE id = $1",
        id.0,
        file.0,
        now,
        expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Who ends an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum AskedBy {
    Owner,
    Operator,
}

/// Marks an account to be erased: its address, and when that will be. What the operator said stays theirs.
pub async fn set_erase_at(
    db: &mut PgConnection,
    user: UserId,
    at: OffsetDateTime,
    by: AskedBy,
) -> sqlx::Result<(String, OffsetDateTime)> {
    let marked = query!(
        r#"UPDATE users SET erase_at = LEAST(erase_at, $2),
               erase_asked_by = CASE WHEN erase_asked_by = 'operator' THEN 'operator' ELSE $3 END
           WHERE id = $1 RETURNING email, erase_at AS "erase_at!""#,
        user.0,
        at,
        by as AskedBy,
    );
    let marked = marked.fetch_one(db).await?;
    Ok((marked.email, marked.erase_at))
}

pub async fn asked_by(db: &mut PgConnection, user: UserId) -> sqlx::Result<Option<AskedBy>> {
    query_scalar!(r#"SELECT erase_asked_by AS "by: AskedBy" FROM users WHERE id = $1"#, user.0,)
        .fetch_one(db)
        .await
}

pub async fn forget_erase_at(db: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    query!("UPDATE users SET erase_at = NULL, erase_asked_by = NULL WHERE id = $1", user.0)
        .execute(db)
        .await?;
    Ok(())
}

/// An account whose time is over.
pub struct Due {
    pub user: UserId,
    pub organization: OrganizationId,
    pub email: String,
    pub role: Role,
}

/// One that is due; its row stays locked.
pub async fn next_due(db: &mut PgConnection, now: OffsetDateTime) -> sqlx::Result<Option<Due>> {
    query_as!(
        Due,
        r#"SELECT id AS user, organization_id AS organization, email, role AS "role: Role"
           FROM users
           WHERE erase_at <= $1 ORDER BY erase_at LIMIT 1 FOR UPDATE SKIP LOCKED"#,
        now,
    )
    .fetch_optional(db)
    .await
}

/// What a removed member was called and when they were there. Counted sets stay, as nobody's.
pub async fn erase_member(db: &mut PgConnection, member: MemberId) -> sqlx::Result<()> {
    query!(
        "UPDATE members SET display_name = 'erased', reference = NULL, email = NULL, user_id = NULL
         WHERE id = $1",
        member.0,
    )
    .execute(&mut *db)
    .await?;
    query!("DELETE FROM memberships WHERE member_id = $1", member.0).execute(&mut *db).await?;
    query!("DELETE FROM credentials WHERE member_id = $1", member.0).execute(&mut *db).await?;
    query!("DELETE FROM gym_sessions WHERE member_id = $1", member.0).execute(&mut *db).await?;
    query!("DELETE FROM links WHERE member_id = $1", member.0).execute(&mut *db).await?;
    query!("UPDATE finished_sets SET member_id = NULL WHERE member_id = $1", member.0)
        .execute(db)
        .await?;
    Ok(())
}

/// The account itself; what belongs to it goes with it.
pub async fn erase_user(db: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    query!("DELETE FROM idempotency_keys WHERE owner = $1", user.to_string())
        .execute(&mut *db)
        .await?;
    log::forget_user(db, user).await?;
    query!("DELETE FROM users WHERE id = $1", user.0).execute(db).await?;
    Ok(())
}

/// Forgets what was kept for long enough.
pub async fn forget_before(
    db: &mut PgConnection,
    activity: OffsetDateTime,
    usage: OffsetDateTime,
    feedback: OffsetDateTime,
    events: OffsetDateTime,
) -> sqlx::Result<()> {
    query!("DELETE FROM user_activity WHERE at < $1", activity).execute(&mut *db).await?;
    query!("DELETE FROM app_usage WHERE day < $1", usage.date()).execute(&mut *db).await?;
    query!("DELETE FROM feedback WHERE created_at < $1", feedback).execute(&mut *db).await?;
    query!("DELETE FROM security_events WHERE at < $1", events).execute(&mut *db).await?;
    query!("DELETE FROM exports WHERE expires_at < $1", events).execute(db).await?;
    Ok(())
}
