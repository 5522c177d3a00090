//! What staff set for a branch; checked by the code that the branch reads it with.

use super::store;
use crate::domains::edges::registry_changed;
use crate::http::{Error, Result};
use crate::ids::BranchId;
use protocol::access::BranchSettings;
use protocol::sync::changes::Change;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// Settings that staff may change, one by one. Others come with the branch or the organization.
pub const SETTINGS: [&str; 9] = [
    "opening_hours",
    "holidays",
    "grace_days",
    "time_uncertain_policy",
    "door_open_ms",
    "anti_passback",
    "session_max_min",
    "link_idle_s",
    "queue_offer_s",
];

/// Sets one, as JSON; without a value it is back at its default. The branch is told.
pub async fn set(
    db: &mut PgConnection,
    branch: BranchId,
    key: &'static str,
    value: Option<&serde_json::Value>,
    now: OffsetDateTime,
) -> Result<()> {
    let Some(value) = value else {
        store::reset_setting(db, branch, key).await?;
        let change = Change::SettingRemoved(key.to_owned());
        return Ok(registry_changed(db, branch, &change).await?);
    };
    let text = value.to_string();
    if text.len() > MAX_BYTES {
        let message = format!("is longer than {MAX_BYTES} bytes");
        return Err(Error::Field { field: key, code: "too_long", message });
    }
    BranchSettings::default().set(key, &text).map_err(|error| Error::Field {
        field: key,
        code: "invalid",
        message: error.message,
    })?;
    store::put_setting(db, branch, key, value, now).await?;
    let change = Change::Setting { key: key.to_owned(), value: text };
    Ok(registry_changed(db, branch, &change).await?)
}

/// Years of holidays fit, and a page of changes holds many.
const MAX_BYTES: usize = 32 * 1024;
