//! What the operator says of a branch, whole: its name, its hours, and the rules of its doors and sessions.

use super::settings::{SETTINGS, wrong};
use crate::domains::accounts::plain_text;
use crate::domains::joining::Joining;
use crate::http::Result;
use crate::ids::{BranchId, OrganizationId};
use anyhow::Context;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// What there is to say of a branch. A setting that is null is at its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct BranchSetup {
    /// Unique in the organization.
    #[garde(length(chars, min = 1, max = 100), custom(plain_text))]
    #[schema(min_length = 1, max_length = 100, example = "Centre")]
    pub name: String,
    /// IANA name. Days of memberships and opening hours are those of this zone.
    #[garde(length(bytes, min = 1, max = 60), custom(known_zone))]
    #[schema(min_length = 1, max_length = 60, example = "Europe/Berlin")]
    pub time_zone: String,
    #[garde(skip)]
    #[serde(default = "by_approval")]
    #[schema(inline)]
    pub joining: Joining,
    /// Spans by day, `mon` to `sun`; a day that is left out or null is closed. By default it is always open.
    #[garde(inner(custom(readable("opening_hours"))))]
    #[serde(default)]
    #[schema(value_type = Option<Object>, example = json!({"mon": [["06:00", "23:00"]]}))]
    pub opening_hours: Option<Value>,
    /// Days that differ: `closed`, or `hours` as above.
    #[garde(inner(custom(readable("holidays"))))]
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>, example = json!([{"date": "2026-12-25", "closed": true}]))]
    pub holidays: Option<Value>,
    /// Days for which the branch decides with what it was told, while the cloud is away. By default 7.
    #[garde(inner(custom(readable("grace_days"))))]
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 0, maximum = 365, example = 7)]
    pub grace_days: Option<Value>,
    /// What happens while the branch does not know the time: `allow` (the default) or `deny`.
    #[garde(inner(custom(readable("time_uncertain_policy"))))]
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "allow")]
    pub time_uncertain_policy: Option<Value>,
    /// For how long a door is opened. By default 3000.
    #[garde(inner(custom(readable("door_open_ms"))))]
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 200, maximum = 60000, example = 3000)]
    pub door_open_ms: Option<Value>,
    /// What happens when somebody who is inside comes in: `off` (the default), `warn` or `deny`.
    #[garde(inner(custom(readable("anti_passback"))))]
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "warn")]
    pub anti_passback: Option<Value>,
    /// Minutes after which a gym session ends by itself. By default 240.
    #[garde(inner(custom(readable("session_max_min"))))]
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 10, maximum = 1440, example = 240)]
    pub session_max_min: Option<Value>,
    /// Seconds without use after which a machine is free again. By default 300.
    #[garde(inner(custom(readable("link_idle_s"))))]
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 30, maximum = 3600, example = 300)]
    pub link_idle_s: Option<Value>,
    /// Seconds for which a free machine is kept for the first of its queue. By default 120.
    #[garde(inner(custom(readable("queue_offer_s"))))]
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 15, maximum = 1800, example = 120)]
    pub queue_offer_s: Option<Value>,
}

/// A branch with all that is said of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BranchRecord {
    pub id: BranchId,
    #[serde(skip)]
    pub organization_id: OrganizationId,
    /// Short number for codes with little room; given once and never changed.
    #[schema(example = 7)]
    pub site_no: i32,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(flatten)]
    pub setup: BranchSetup,
}

fn by_approval() -> Joining {
    Joining::Approval
}

impl Default for BranchSetup {
    fn default() -> Self {
        Self::new("-", "UTC")
    }
}

impl BranchSetup {
    /// Everything at its default.
    pub fn new(name: &str, time_zone: &str) -> Self {
        Self {
            name: name.to_owned(),
            time_zone: time_zone.to_owned(),
            joining: by_approval(),
            opening_hours: None,
            holidays: None,
            grace_days: None,
            time_uncertain_policy: None,
            door_open_ms: None,
            anti_passback: None,
            session_max_min: None,
            link_idle_s: None,
            queue_offer_s: None,
        }
    }

    /// The same with other settings, by key; null is the default.
    pub fn with(&self, settings: impl IntoIterator<Item = (String, Value)>) -> Result<Self> {
        let mut said = serde_json::to_value(self).context("cannot be written")?;
        let fields = said.as_object_mut().context("is no object")?;
        fields.extend(settings.into_iter().filter(|(key, _)| SETTINGS.contains(&key.as_str())));
        Ok(serde_json::from_value(said).context("cannot be read")?)
    }

    /// Its settings with their keys; those at their defaults have no value.
    pub fn settings(&self) -> impl Iterator<Item = (&'static str, Option<Value>)> {
        let mut said = serde_json::to_value(self).unwrap_or_default();
        SETTINGS
            .into_iter()
            .map(move |key| (key, Some(said[key].take()).filter(|it| !it.is_null())))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
fn known_zone(name: &str, (): &()) -> garde::Result {
    told(wrong("time_zone", &Value::from(name)))
}

/// What the branch could not read is refused.
fn readable(key: &'static str) -> impl FnOnce(&Value, &()) -> garde::Result {
    move |value, ()| told(wrong(key, value))
}

fn told(wrong: Option<String>) -> garde::Result {
    wrong.map_or(Ok(()), |message| Err(garde::Error::new(message)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_come_and_go_by_their_keys() {
        let set = [("door_open_ms".to_owned(), json!(500)), ("name".to_owned(), json!("x"))];

        let changed = BranchSetup::default().with(set).unwrap();
        let back = changed.with([("door_open_ms".to_owned(), Value::Null)]).unwrap();

        assert_eq!((changed.door_open_ms, changed.name.as_str()), (Some(json!(500)), "-"));
        assert_eq!(back, BranchSetup::default());
    }

    #[test]
    fn the_bounds_are_those_of_the_branch() {
        let is_valid = |key: &str, value: i32| {
            let set = [(key.to_owned(), json!(value))];
            BranchSetup::default().with(set).unwrap().validate().is_ok()
        };
        let bounds = [
            ("grace_days", 0, 365),
            ("door_open_ms", 200, 60_000),
            ("session_max_min", 10, 1_440),
            ("link_idle_s", 30, 3_600),
            ("queue_offer_s", 15, 1_800),
        ];
        for (key, least, most) in bounds {
            assert!(is_valid(key, least) && is_valid(key, most), "{key}");
            assert!(!is_valid(key, least - 1) && !is_valid(key, most + 1), "{key}");
        }
    }
}
