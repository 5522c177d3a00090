//! Codes that members show at a door, signed by the newest key that branches believe.

use super::signing;
use anyhow::Context;
use protocol::credential::qr::{QrPayload, TTL_STEP_S, sign};
use sqlx::PgConnection;
use time::OffsetDateTime;

/// What a code is to say.
#[derive(Debug, Clone, Copy)]
pub struct QrOrder {
    pub member_no: u64,
    /// The branch where it is good; 0 for all.
    pub site_no: u16,
    /// Rounded up to steps of 5 s, at most 1275.
    pub ttl_s: u32,
}

/// A new code; no two are the same.
pub async fn issue_qr(
    db: &mut PgConnection,
    order: &QrOrder,
    now: OffsetDateTime,
) -> anyhow::Result<String> {
    let key = signing::believed(db).await?.pop().context("there is no signing key")?;
    let mut nonce = [0; 4];
    getrandom::fill(&mut nonce).context("no random numbers")?;
    let payload = QrPayload {
        kid: key.key_id,
        site_no: order.site_no,
        member_no: order.member_no,
        iat_s: u32::try_from(now.unix_timestamp())?,
        ttl: u8::try_from(order.ttl_s.div_ceil(TTL_STEP_S)).unwrap_or(u8::MAX),
        scope: 0,
        nonce,
    };
    Ok(sign(&payload, &key.signing))
}
