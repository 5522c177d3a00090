//! SQL of the domain. Contents are sealed.

use crate::ids::{ScanId, UserId};
use crate::secrets::Secrets;
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::{Date, OffsetDateTime};
use zeroize::Zeroizing;

/// A file that was taken in.
pub struct Scan {
    pub id: ScanId,
    pub uploaded_at: OffsetDateTime,
    /// The days that it told of.
    pub days: Vec<Date>,
}

pub async fn by_digest(
    db: &mut PgConnection,
    user: UserId,
    digest: &[u8],
) -> sqlx::Result<Option<Scan>> {
    query_as!(
        Scan,
        r#"SELECT id AS "id: ScanId", uploaded_at, days FROM body_scans
           WHERE user_id = $1 AND digest = $2"#,
        user.0,
        digest,
    )
    .fetch_optional(db)
    .await
}

pub async fn count(db: &mut PgConnection, user: UserId) -> sqlx::Result<i64> {
    query_scalar!(r#"SELECT count(*) AS "count!" FROM body_scans WHERE user_id = $1"#, user.0)
        .fetch_one(db)
        .await
}

pub async fn insert(
    db: &mut PgConnection,
    secrets: &Secrets,
    user: UserId,
    scan: &Scan,
    digest: &[u8],
    content: &[u8],
) -> anyhow::Result<()> {
    query!(
        "INSERT INTO body_scans (id, user_id, digest, uploaded_at, days, content)
         VALUES ($1, $2, $3, $4, $5, $6)",
        scan.id.0,
        user.0,
        digest,
        scan.uploaded_at,
        &scan.days,
        secrets.seal(&purpose(user), content)?,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The files of somebody as they came, the oldest first.
pub async fn contents(
    db: &mut PgConnection,
    secrets: &Secrets,
    user: UserId,
) -> anyhow::Result<Vec<(ScanId, Zeroizing<Vec<u8>>)>> {
    let rows = query!(
        r#"SELECT id AS "id: ScanId", content FROM body_scans WHERE user_id = $1 ORDER BY id"#,
        user.0,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    rows.map(|row| Ok((row.id, secrets.open(&purpose(user), &row.content)?))).collect()
}

/// Moved to somebody else's row it does not open.
fn purpose(user: UserId) -> String {
    format!("body_scan:{user}")
}
