//! SQL of pictures of bodies.

use super::photos::{Photo, Pose};
use crate::ids::{BodyMetricsId, FileId, UserId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::{Date, OffsetDateTime};

/// Those of some entries.
pub async fn of_entries(
    db: &mut PgConnection,
    entries: &[BodyMetricsId],
) -> sqlx::Result<Vec<(BodyMetricsId, Photo)>> {
    let entries: Vec<_> = entries.iter().map(|entry| entry.0).collect();
    let rows = query!(
        r#"SELECT body_metrics_id AS "entry: BodyMetricsId", file_id AS "id: FileId",
                  pose AS "pose: Pose", created_at
           FROM body_photos WHERE body_metrics_id = ANY($1) ORDER BY body_metrics_id, pose"#,
        &entries,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows.map(|row| (row.entry, Photo::new(row.id, row.pose, row.created_at))).collect())
}

/// A picture and its day.
pub struct Dated {
    pub id: FileId,
    pub pose: Pose,
    pub measured_on: Date,
}

/// All of somebody, the oldest first.
pub async fn all(db: &mut PgConnection, user: UserId) -> sqlx::Result<Vec<Dated>> {
    query_as!(
        Dated,
        r#"SELECT file_id AS "id: FileId", pose AS "pose: Pose", measured_on
           FROM body_photos JOIN body_metrics ON body_metrics.id = body_metrics_id
           WHERE user_id = $1 ORDER BY measured_on, file_id"#,
        user.0,
    )
    .fetch_all(db)
    .await
}

pub async fn count(db: &mut PgConnection, user: UserId) -> sqlx::Result<i64> {
    query_scalar!(
        r#"SELECT count(*) AS "count!" FROM files WHERE owner_id = $1 AND kind = 'body_photo'"#,
        user.0,
    )
    .fetch_one(db)
    .await
}

pub async fn insert(
    db: &mut PgConnection,
    file: FileId,
    entry: BodyMetricsId,
    pose: Pose,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO body_photos (file_id, body_metrics_id, pose, created_at)
         VALUES ($1, $2, $3, $4)",
        file.0,
        entry.0,
        pose as Pose,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets one picture of an entry, or all of them: which files are to be removed.
pub async fn take(
    db: &mut PgConnection,
    entry: BodyMetricsId,
    pose: Option<Pose>,
) -> sqlx::Result<Vec<FileId>> {
    query_scalar!(
        r#"DELETE FROM files USING body_photos
           WHERE files.id = file_id AND body_metrics_id = $1 AND ($2::text IS NULL OR pose = $2)
           RETURNING files.id AS "id: FileId""#,
        entry.0,
        pose as Option<Pose>,
    )
    .fetch_all(db)
    .await
}
