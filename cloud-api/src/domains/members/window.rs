//! Hours of the week in which a membership counts, in the branch's local time.

use super::value::NotValid;
use garde::Validate;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// A span of the day, on some days of the week. It may end on the next day: `22:00` to `02:00`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct AccessWindow {
    /// The days on which it begins.
    #[garde(length(min = 1, max = 7))]
    #[schema(min_items = 1, max_items = 7, example = json!(["mon", "wed"]))]
    pub days: Vec<Day>,
    /// When it begins, from 00:00 to 23:59.
    #[garde(custom(begins))]
    #[schema(value_type = String, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", example = "06:00")]
    pub from: TimeOfDay,
    /// When it ends, up to 24:00. Not after `from`, it is on the next day; the same, after a whole day.
    #[garde(skip)]
    #[schema(value_type = String, pattern = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
             example = "16:00")]
    pub until: TimeOfDay,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Minutes of a local day, `00:00` to `24:00`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

const MINUTES_OF_DAY: u16 = 24 * 60;

impl AccessWindow {
    /// As branches are told.
    pub fn told(&self) -> protocol::sync::roster::AccessWindow {
        protocol::sync::roster::AccessWindow {
            days: self.days.iter().fold(0, |days, day| days | 1 << *day as u8),
            from_min: self.from.0,
            until_min: self.until.0,
        }
    }
}

impl TimeOfDay {
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl FromStr for TimeOfDay {
    type Err = NotValid;

    fn from_str(text: &str) -> Result<Self, NotValid> {
        const WRONG: NotValid = NotValid("is no time of day (00:00 to 24:00)");
        let (hours, minutes) = text.split_once(':').ok_or(WRONG)?;
        let number = |text: &str| {
            let is_digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u16>().ok().filter(|_| is_digits)
        };
        let (hours, minutes) = (number(hours).ok_or(WRONG)?, number(minutes).ok_or(WRONG)?);
        let total = hours * 60 + minutes;
        if minutes < 60 && total <= MINUTES_OF_DAY { Ok(Self(total)) } else { Err(WRONG) }
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = NotValid;

    fn try_from(text: String) -> Result<Self, NotValid> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
fn begins(from: &TimeOfDay, (): &()) -> garde::Result {
    if from.0 < MINUTES_OF_DAY { Ok(()) } else { Err(garde::Error::new("begins before 24:00")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read_and_shown_the_same() {
        for text in ["00:00", "06:30", "23:59", "24:00"] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), text);
        }
        for text in ["", "6:30", "24:01", "12:60", "12", "1a:00", "+1:00", "12:00:00"] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_window_is_told_as_bits_and_minutes() {
        let json = r#"{"days":["mon","sun"],"from":"22:00","until":"02:00"}"#;
        let window: AccessWindow = serde_json::from_str(json).unwrap();

        let told = window.told();

        assert_eq!((told.days, told.from_min, told.until_min), (0b100_0001, 1_320, 120));
    }

    #[test]
    fn a_window_does_not_begin_at_the_end_of_the_day() {
        let json = r#"{"days":["mon"],"from":"24:00","until":"02:00"}"#;
        let window: AccessWindow = serde_json::from_str(json).unwrap();

        assert!(window.validate().is_err());
    }
}
