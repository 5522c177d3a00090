//! SQL of the audit log.

use super::Entry;
use sqlx::{PgConnection, query};
use time::OffsetDateTime;

pub async fn insert(
    db: &mut PgConnection,
    entry: &Entry<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO audit_log (at, actor_id, organization_id, action, target_id, address,
                                request_id, before_digest, after_digest, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        now,
        entry.actor.map(|user| user.0),
        entry.organization.map(|organization| organization.0),
        entry.action,
        entry.target,
        entry.origin.map(|origin| origin.address.0.to_string()),
        entry.origin.map(|origin| &*origin.request_id.0),
        entry.before.as_ref().map(<[u8; 32]>::as_slice),
        entry.after.as_ref().map(<[u8; 32]>::as_slice),
        entry.detail,
    )
    .execute(db)
    .await?;
    Ok(())
}
