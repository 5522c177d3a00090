//! What staff have set for a branch, as far as doors and sessions depend on it. A setting that cannot be
//! read keeps its former value and is told, so that one wrong setting never closes a gym.

use super::calendar::LocalTime;
use super::hours::OpeningHours;
use crate::credential::sun::SunKeys;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::ops::RangeInclusive;

/// Days for which a roster counts in full, unless it is set.
pub const DEFAULT_GRACE_DAYS: u16 = 7;
/// Milliseconds for which a door is opened, unless it is set.
pub const DEFAULT_DOOR_OPEN_MS: u32 = 3_000;
/// Minutes after which a gym session ends by itself, unless it is set.
pub const DEFAULT_SESSION_MAX_MIN: u32 = 240;
/// Seconds without use after which a machine is free again, unless it is set.
pub const DEFAULT_LINK_IDLE_S: u32 = 300;
/// Seconds for which a free machine is kept for the first of its queue, unless it is set.
pub const DEFAULT_QUEUE_OFFER_S: u32 = 120;

const GRACE_DAYS: RangeInclusive<u16> = 0..=365;
const DOOR_OPEN_MS: RangeInclusive<u32> = 200..=60_000;
const SESSION_MAX_MIN: RangeInclusive<u32> = 10..=1_440;
const LINK_IDLE_S: RangeInclusive<u32> = 30..=3_600;
const QUEUE_OFFER_S: RangeInclusive<u32> = 15..=1_800;

/// Which keys there are; others belong to somebody else and change nothing here.
pub const SETTING_KEYS: [&str; 12] = [
    "site_no",
    "time_zone",
    "opening_hours",
    "holidays",
    "grace_days",
    "time_uncertain_policy",
    "door_open_ms",
    "anti_passback",
    "sun_keys",
    "session_max_min",
    "link_idle_s",
    "queue_offer_s",
];

/// What happens while nobody knows the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUncertainPolicy {
    /// Cards are decided without hours and ends, codes by signature, first use and the floor of time.
    #[default]
    Allow,
    /// Nobody is let in.
    Deny,
}

/// What happens when somebody who is inside comes in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AntiPassback {
    /// Nothing.
    #[default]
    Off,
    /// Staff see it.
    Warn,
    /// The door stays closed.
    Deny,
}

/// The settings of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchSettings {
    /// `site_no`: the short number of the branch, 1 to 65 535; 0 while it is unknown.
    pub site_no: u16,
    /// `time_zone`: an IANA name. UTC unless set.
    pub zone: LocalTime,
    /// `opening_hours` and `holidays`. Always open unless set.
    pub hours: OpeningHours,
    /// `grace_days`: days for which a roster counts in full, 0 to 365.
    pub grace_days: u16,
    /// `time_uncertain_policy`: `allow` or `deny`.
    pub time_uncertain: TimeUncertainPolicy,
    /// `door_open_ms`: 200 to 60 000.
    pub door_open_ms: u32,
    /// `anti_passback`: `off`, `warn` or `deny`.
    pub anti_passback: AntiPassback,
    /// `sun_keys`: keys of NTAG 424 DNA cards; without them no such card is known.
    pub sun_keys: Option<SunKeys>,
    /// `session_max_min`: minutes after which a gym session ends by itself, 10 to 1 440.
    pub session_max_min: u32,
    /// `link_idle_s`: seconds without use after which a machine is free again, 30 to 3 600.
    pub link_idle_s: u32,
    /// `queue_offer_s`: seconds for which a free machine is kept for the first of its queue, 15 to 1 800.
    pub queue_offer_s: u32,
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the setting {key} {message}")]
pub struct SettingError {
    /// Which one.
    pub key: String,
    /// What is wrong with it; never the value of a key.
    pub message: String,
}

impl Default for BranchSettings {
    fn default() -> Self {
        Self {
            site_no: 0,
            zone: LocalTime::utc(),
            hours: OpeningHours::default(),
            grace_days: DEFAULT_GRACE_DAYS,
            time_uncertain: TimeUncertainPolicy::default(),
            door_open_ms: DEFAULT_DOOR_OPEN_MS,
            anti_passback: AntiPassback::default(),
            sun_keys: None,
            session_max_min: DEFAULT_SESSION_MAX_MIN,
            link_idle_s: DEFAULT_LINK_IDLE_S,
            queue_offer_s: DEFAULT_QUEUE_OFFER_S,
        }
    }
}

impl BranchSettings {
    /// All settings at once, as (key, JSON text); those that cannot be used stay at their defaults.
    pub fn of<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> (Self, Vec<SettingError>) {
        let mut settings = Self::default();
        let errors = pairs.into_iter().filter_map(|(key, json)| settings.set(key, json).err());
        let errors = errors.collect();
        (settings, errors)
    }

    /// Takes one over. A wrong one changes nothing; a key that is not in [`SETTING_KEYS`] neither.
    pub fn set(&mut self, key: &str, json: &str) -> Result<(), SettingError> {
        self.try_set(key, json).map_err(|message| SettingError { key: key.to_owned(), message })
    }

    /// Puts one back to its default.
    pub fn reset(&mut self, key: &str) {
        let default = Self::default();
        match key {
            "site_no" => self.site_no = default.site_no,
            "time_zone" => self.zone = default.zone,
            "opening_hours" => self.hours.reset_week(),
            "holidays" => self.hours.reset_holidays(),
            "grace_days" => self.grace_days = default.grace_days,
            "time_uncertain_policy" => self.time_uncertain = default.time_uncertain,
            "door_open_ms" => self.door_open_ms = default.door_open_ms,
            "anti_passback" => self.anti_passback = default.anti_passback,
            "sun_keys" => self.sun_keys = None,
            "session_max_min" => self.session_max_min = default.session_max_min,
            "link_idle_s" => self.link_idle_s = default.link_idle_s,
            "queue_offer_s" => self.queue_offer_s = default.queue_offer_s,
            _ => {}
        }
    }

    fn try_set(&mut self, key: &str, json: &str) -> Result<(), String> {
        match key {
            "site_no" => self.site_no = number(json, 1..=u16::MAX)?,
            "time_zone" => self.zone = zone(json)?,
            "opening_hours" => self.hours.set_week(&read::<Value>(json)?)?,
            "holidays" => self.hours.set_holidays(&read::<Value>(json)?)?,
            "grace_days" => self.grace_days = number(json, GRACE_DAYS)?,
            "time_uncertain_policy" => self.time_uncertain = read(json)?,
            "door_open_ms" => self.door_open_ms = number(json, DOOR_OPEN_MS)?,
            "anti_passback" => self.anti_passback = read(json)?,
            "sun_keys" => self.sun_keys = SunKeys::parse(json)?,
            "session_max_min" => self.session_max_min = number(json, SESSION_MAX_MIN)?,
            "link_idle_s" => self.link_idle_s = number(json, LINK_IDLE_S)?,
            "queue_offer_s" => self.queue_offer_s = number(json, QUEUE_OFFER_S)?,
            _ => {}
        }
        Ok(())
    }
}

fn zone(json: &str) -> Result<LocalTime, String> {
    let name: String = read(json)?;
    LocalTime::named(&name)
        .ok_or_else(|| format!("{name:?} is no time zone like \"Europe/Berlin\""))
}

fn number<T: TryFrom<i64> + PartialOrd + std::fmt::Display>(
    json: &str,
    range: RangeInclusive<T>,
) -> Result<T, String> {
    let wrong = || format!("is no whole number from {} to {}", range.start(), range.end());
    let number: i64 = serde_json::from_str(json).map_err(|_| wrong())?;
    T::try_from(number).ok().filter(|number| range.contains(number)).ok_or_else(wrong)
}

fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| format!("cannot be read: {error}"))
}
