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

/// Forgets the addresses of older lines: of all, and of those by or about accounts that are erased.
pub async fn forget_addresses(
    db: &mut PgConnection,
    all: OffsetDateTime,
    erased: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE audit_log SET address = NULL
         WHERE address IS NOT NULL AND (at < $1 OR at < $2 AND (
             EXISTS (SELECT FROM audit_log AS end_of_it
                     WHERE end_of_it.action = 'account.erased'
                         AND end_of_it.target_id IN (audit_log.actor_id, audit_log.target_id))))",
        all,
        erased,
    )
    .execute(db)
    .await?;
    Ok(())
}
