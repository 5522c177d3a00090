//! Late dates: rows whose boot had no synced stamp when they came.

use crate::ids::EdgeId;
use sqlx::{PgConnection, query};
use uuid::Uuid;

/// Dates everything of a boot that had no date.
pub async fn redate(
    db: &mut PgConnection,
    edge: EdgeId,
    boot: u64,
    offset_ms: i64,
) -> sqlx::Result<()> {
    let (edge, boot) = (edge.0, boot.cast_signed());
    redate_facts(db, edge, boot, offset_ms).await?;
    redate_reports(db, edge, boot, offset_ms).await
}

/// What members did.
async fn redate_facts(
    db: &mut PgConnection,
    edge: Uuid,
    boot: i64,
    offset_ms: i64,
) -> sqlx::Result<()> {
    query!(
        "UPDATE taps SET is_dated = true, at = moment_of(mono_ms, $3)
         WHERE edge_id = $1 AND boot = $2 AND NOT is_dated",
        edge,
        boot,
        offset_ms
    )
    .execute(&mut *db)
    .await?;
    query!(
        "UPDATE decisions SET is_dated = true, at = moment_of(mono_ms, $3)
         WHERE edge_id = $1 AND boot = $2 AND NOT is_dated",
        edge,
        boot,
        offset_ms
    )
    .execute(&mut *db)
    .await?;
    query!(
        "UPDATE finished_sets SET is_dated = true, at = moment_of(mono_ms, $3)
         WHERE edge_id = $1 AND boot = $2 AND NOT is_dated",
        edge,
        boot,
        offset_ms
    )
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// What devices told.
async fn redate_reports(
    db: &mut PgConnection,
    edge: Uuid,
    boot: i64,
    offset_ms: i64,
) -> sqlx::Result<()> {
    query!(
        "UPDATE device_statuses SET is_dated = true, at = moment_of(mono_ms, $3)
         WHERE edge_id = $1 AND boot = $2 AND NOT is_dated",
        edge,
        boot,
        offset_ms
    )
    .execute(&mut *db)
    .await?;
    query!(
        "UPDATE maintenance_reports SET is_dated = true, at = moment_of(mono_ms, $3)
         WHERE edge_id = $1 AND boot = $2 AND NOT is_dated",
        edge,
        boot,
        offset_ms
    )
    .execute(&mut *db)
    .await?;
    query!(
        "UPDATE command_results SET is_dated = true, at = moment_of(mono_ms, $3)
         WHERE edge_id = $1 AND boot = $2 AND NOT is_dated",
        edge,
        boot,
        offset_ms
    )
    .execute(&mut *db)
    .await?;
    query!(
        "UPDATE ingest_rejects SET is_dated = true, at = moment_of(mono_ms, $3)
         WHERE edge_id = $1 AND boot = $2 AND NOT is_dated",
        edge,
        boot,
        offset_ms
    )
    .execute(&mut *db)
    .await?;
    Ok(())
}
