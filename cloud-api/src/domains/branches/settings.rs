//! Settings of a branch, one by one; checked by the code that the branch reads them with.

use super::model::Branch;
use super::store;
use crate::domains::edges::registry_changed;
use crate::http::auth::Scope;
use crate::http::{Error, Result};
use crate::ids::BranchId;
use protocol::access::BranchSettings;
use protocol::sync::changes::Change;
use serde_json::Value;
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
    value: Option<&Value>,
    now: OffsetDateTime,
) -> Result<()> {
    let Some(value) = value else {
        store::reset_setting(db, branch, key).await?;
        let change = Change::SettingRemoved(key.to_owned());
        return Ok(registry_changed(db, branch, &change).await?);
    };
    let value = tidied(value);
    if let Some(message) = wrong(key, &value) {
        return Err(Error::Field { field: key, code: "invalid", message });
    }
    store::put_setting(db, branch, key, &value, now).await?;
    let change = Change::Setting { key: key.to_owned(), value: value.to_string() };
    Ok(registry_changed(db, branch, &change).await?)
}

/// What is wrong with a value, if anything is.
pub fn wrong(key: &str, value: &Value) -> Option<String> {
    let text = tidied(value).to_string();
    if text.len() > MAX_BYTES {
        return Some(format!("is longer than {MAX_BYTES} bytes"));
    }
    // Postgres keeps no NUL in text.
    if text.contains("\\u0000") {
        return Some("holds U+0000".to_owned());
    }
    BranchSettings::default().set(key, &text).err().map(|error| error.message)
}

/// All of them, as the branch reads them: what was not set, or cannot be read, is at its default.
pub async fn in_force(
    db: &mut PgConnection,
    branch: BranchId,
    time_zone: &str,
) -> sqlx::Result<BranchSettings> {
    Ok(read(store::settings(db, branch).await?, time_zone))
}

/// The branches of a scope by name, each with all of its settings.
pub async fn all_in_force(
    db: &mut PgConnection,
    scope: Scope<'_>,
) -> sqlx::Result<Vec<(Branch, BranchSettings)>> {
    let all = store::with_settings(db, scope).await?.into_iter();
    let read = all.map(|(branch, settings)| {
        let settings = read(settings, &branch.time_zone);
        (branch, settings)
    });
    Ok(read.collect())
}

fn read(settings: impl IntoIterator<Item = (String, Value)>, time_zone: &str) -> BranchSettings {
    let mut pairs: Vec<(String, String)> =
        settings.into_iter().map(|(key, value)| (key, value.to_string())).collect();
    pairs.push(("time_zone".to_owned(), Value::from(time_zone).to_string()));
    let pairs = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    BranchSettings::of(pairs).0
}

/// Years of holidays fit, and a page of changes holds many.
const MAX_BYTES: usize = 32 * 1024;

/// Days that were taken out of opening hours are closed, as those that were never in.
fn tidied(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, field| !field.is_null());
    }
    value
}
