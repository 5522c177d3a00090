//! SQL of idempotency keys.

use serde_json::Value;
use sqlx::{PgConnection, query, query_as};
use time::OffsetDateTime;

/// Who sends what under which key.
#[derive(Debug, Clone)]
pub struct Sent {
    pub owner: String,
    pub key: String,
    pub request: Vec<u8>,
}

/// What is known of a key.
#[derive(Debug)]
pub struct Known {
    pub request: Vec<u8>,
    pub status: Option<i32>,
    pub headers: Option<Value>,
    pub body: Option<Vec<u8>>,
    pub is_carried_out: bool,
    pub claimed_until: OffsetDateTime,
}

impl Known {
    /// Whether it was carried out by somebody who is taken for dead and has left no answer.
    pub fn is_lost(&self, now: OffsetDateTime) -> bool {
        self.is_carried_out && self.status.is_none() && self.claimed_until <= now
    }
}

/// Takes the key, unless somebody has it and is not taken for dead.
pub async fn claim(
    db: &mut PgConnection,
    sent: &Sent,
    now: OffsetDateTime,
    until: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> sqlx::Result<bool> {
    let claimed = query!(
        "INSERT INTO idempotency_keys AS known (owner, key, request, claimed_until, expires_at)
         VALUES ($1, $2, $3, $5, $6)
         ON CONFLICT ON CONSTRAINT idempotency_keys_pkey
         DO UPDATE SET request = $3, claimed_until = $5, expires_at = $6,
                       status = NULL, headers = NULL, body = NULL, is_carried_out = false
         WHERE known.expires_at <= $4
            OR (known.status IS NULL AND NOT known.is_carried_out AND known.claimed_until <= $4
                AND known.request = $3)",
        sent.owner,
        sent.key,
        sent.request,
        now,
        until,
        expires_at,
    );
    Ok(claimed.execute(db).await?.rows_affected() == 1)
}

pub async fn known(db: &mut PgConnection, sent: &Sent) -> sqlx::Result<Option<Known>> {
    query_as!(
        Known,
        "SELECT request, status, headers, body, is_carried_out, claimed_until
         FROM idempotency_keys WHERE owner = $1 AND key = $2",
        sent.owner,
        sent.key,
    )
    .fetch_optional(db)
    .await
}

/// Whether it was not yet.
pub async fn mark_carried_out(db: &mut PgConnection, sent: &Sent) -> sqlx::Result<bool> {
    let marked = query!(
        "UPDATE idempotency_keys SET is_carried_out = true
         WHERE owner = $1 AND key = $2 AND request = $3 AND NOT is_carried_out",
        sent.owner,
        sent.key,
        sent.request,
    );
    Ok(marked.execute(db).await?.rows_affected() == 1)
}

pub async fn keep(
    db: &mut PgConnection,
    sent: &Sent,
    status: u16,
    headers: &Value,
    body: &[u8],
) -> sqlx::Result<()> {
    query!(
        "UPDATE idempotency_keys SET status = $3, headers = $4, body = $5
         WHERE owner = $1 AND key = $2",
        sent.owner,
        sent.key,
        i32::from(status),
        headers,
        body,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn release(db: &mut PgConnection, sent: &Sent) -> sqlx::Result<()> {
    query!(
        "DELETE FROM idempotency_keys
         WHERE owner = $1 AND key = $2 AND status IS NULL AND NOT is_carried_out",
        sent.owner,
        sent.key,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn forget_expired(db: &mut PgConnection, now: OffsetDateTime) -> sqlx::Result<()> {
    query!("DELETE FROM idempotency_keys WHERE expires_at <= $1", now).execute(db).await?;
    Ok(())
}
