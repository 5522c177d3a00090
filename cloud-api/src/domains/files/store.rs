//! SQL of the domain.

use super::model::{File, FileKind, NewFile};
use crate::domains::accounts;
use crate::ids::{FileId, UserId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

pub async fn insert(
    db: &mut PgConnection,
    id: FileId,
    owner: UserId,
    new: &NewFile,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO files (id, owner_id, kind, content_type, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        id.0,
        owner.0,
        new.kind as FileKind,
        new.content_type,
        now,
        new.expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Everybody has one picture: of two that come at once, the later one stays.
pub async fn replace_avatar(
    db: &mut PgConnection,
    id: FileId,
    owner: UserId,
    new: &NewFile,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    accounts::hold(db, owner).await?;
    query!("DELETE FROM files WHERE owner_id = $1 AND kind = 'avatar'", owner.0)
        .execute(&mut *db)
        .await?;
    insert(db, id, owner, new, now).await
}

pub async fn avatar_of(db: &mut PgConnection, owner: UserId) -> sqlx::Result<Option<FileId>> {
    query_scalar!("SELECT id FROM files WHERE owner_id = $1 AND kind = 'avatar'", owner.0)
        .fetch_optional(db)
        .await
}

/// One that is not over.
pub async fn by_id(
    db: &mut PgConnection,
    id: FileId,
    now: OffsetDateTime,
) -> sqlx::Result<Option<File>> {
    query_as!(
        File,
        r#"SELECT id, owner_id AS owner, kind AS "kind: FileKind", content_type FROM files
           WHERE id = $1 AND (expires_at IS NULL OR expires_at > $2)"#,
        id.0,
        now,
    )
    .fetch_optional(db)
    .await
}

pub async fn forget(db: &mut PgConnection, id: FileId) -> sqlx::Result<()> {
    query!("DELETE FROM files WHERE id = $1", id.0).execute(db).await?;
    Ok(())
}

/// Some that are over.
pub async fn over(
    db: &mut PgConnection,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<(UserId, FileId)>> {
    let rows = query!("SELECT id, owner_id FROM files WHERE expires_at <= $1 LIMIT 1000", now);
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows.map(|row| (row.owner_id, row.id)).collect())
}
