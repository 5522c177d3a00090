//! Opening hours of a branch: a week, and holidays that differ.

use super::calendar::{DAY_MIN, LocalTime, tomorrow, weekday, yesterday};
use jiff::civil::Date;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;

/// The days as settings name them, from Monday.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Spans of one day.
const MAX_SPANS: usize = 8;
/// Holidays that are kept.
const MAX_HOLIDAYS: usize = 1_000;
/// How many days ahead a closing time is looked for.
const LOOK_AHEAD_DAYS: usize = 8;

/// Minutes of the local day; see [`LocalTime::span`].
pub type DaySpan = (u16, u16);

/// When a branch is open. Without hours of the week it always is, except on holidays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpeningHours {
    week: Option<[Vec<DaySpan>; 7]>,
    holidays: BTreeMap<Date, Vec<DaySpan>>,
}

impl OpeningHours {
    /// Whether the branch is open at this moment (Unix milliseconds).
    pub fn is_open(&self, zone: &LocalTime, unix_ms: i64) -> bool {
        let today = zone.date_at(unix_ms);
        let mut spans = self.spans(zone, yesterday(today)).chain(self.spans(zone, today));
        spans.any(|span| span.contains(&unix_ms))
    }

    /// When the branch closes next (Unix milliseconds), seen from a moment at which it is open: spans that
    /// touch or overlap are one. None if it is closed then, or stays open for more than a week.
    pub fn closes_at(&self, zone: &LocalTime, unix_ms: i64) -> Option<i64> {
        let mut until = unix_ms;
        let mut date = yesterday(zone.date_at(unix_ms));
        for _ in 0..LOOK_AHEAD_DAYS {
            for span in self.spans(zone, date) {
                if span.start <= until && span.end > until {
                    until = span.end;
                }
            }
            date = tomorrow(date);
        }
        let is_closed_then = !self.is_open(zone, until);
        (until > unix_ms && is_closed_then).then_some(until)
    }

    /// Hours of the week: `{"mon":[["06:00","23:00"]],…}`. A day that is left out is closed.
    pub(super) fn set_week(&mut self, json: &Value) -> Result<(), String> {
        let days = json.as_object().ok_or("is no object of days")?;
        let mut week: [Vec<DaySpan>; 7] = Default::default();
        for (day, spans) in days {
            let number = DAYS.iter().position(|name| name == day);
            let number = number.ok_or_else(|| format!("{day:?} is none of {}", DAYS.join(", ")))?;
            week[number] = parse_spans(spans).map_err(|what| format!("{day}: {what}"))?;
        }
        self.week = Some(week);
        Ok(())
    }

    /// Holidays: `[{"date":"2026-12-25","closed":true},{"date":"2026-12-31","hours":[["08:00","14:00"]]}]`.
    pub(super) fn set_holidays(&mut self, json: &Value) -> Result<(), String> {
        let days = json.as_array().ok_or("is no list of days")?;
        if days.len() > MAX_HOLIDAYS {
            return Err(format!("has more than {MAX_HOLIDAYS} days"));
        }
        let mut holidays = BTreeMap::new();
        for (index, day) in days.iter().enumerate() {
            let (date, spans) = parse_holiday(day).map_err(|what| format!("[{index}]: {what}"))?;
            holidays.insert(date, spans);
        }
        self.holidays = holidays;
        Ok(())
    }

    pub(super) fn reset_week(&mut self) {
        self.week = None;
    }

    pub(super) fn reset_holidays(&mut self) {
        self.holidays.clear();
    }

    /// The spans that begin on a day.
    fn spans(&self, zone: &LocalTime, date: Date) -> impl Iterator<Item = Range<i64>> {
        let day = match (self.holidays.get(&date), &self.week) {
            (Some(holiday), _) => holiday.as_slice(),
            (None, Some(week)) => week[weekday(date)].as_slice(),
            (None, None) => &[(0, DAY_MIN)],
        };
        day.iter().map(move |&(from_min, until_min)| zone.span(date, from_min, until_min))
    }
}

fn parse_holiday(json: &Value) -> Result<(Date, Vec<DaySpan>), String> {
    let day = json.as_object().ok_or("is no object with a date")?;
    if let Some(other) =
        day.keys().find(|key| !["date", "closed", "hours", "name"].contains(&key.as_str()))
    {
        return Err(format!("{other:?} is none of date, closed, hours, name"));
    }
    let date = day.get("date").and_then(Value::as_str).ok_or("date is missing")?;
    let date = date.parse().map_err(|_| format!("date {date:?} is none like 2026-12-25"))?;
    match (day.get("closed").map(Value::as_bool), day.get("hours")) {
        (Some(Some(true)), None) => Ok((date, Vec::new())),
        (None | Some(Some(false)), Some(hours)) => Ok((date, parse_spans(hours)?)),
        _ => Err("needs either \"closed\": true or hours".to_owned()),
    }
}

fn parse_spans(json: &Value) -> Result<Vec<DaySpan>, String> {
    let spans = json.as_array().ok_or("is no list of spans like [\"06:00\",\"23:00\"]")?;
    if spans.len() > MAX_SPANS {
        return Err(format!("has more than {MAX_SPANS} spans"));
    }
    let mut parsed = Vec::with_capacity(spans.len());
    for span in spans {
        let Some([from, until]) = span.as_array().map(Vec::as_slice) else {
            return Err(format!("{span} is no span like [\"06:00\",\"23:00\"]"));
        };
        parsed.push((parse_minute(from, DAY_MIN - 1)?, parse_minute(until, DAY_MIN)?));
    }
    Ok(parsed)
}

/// Minutes since midnight of `"HH:MM"`.
fn parse_minute(json: &Value, latest: u16) -> Result<u16, String> {
    let wrong = || format!("{json} is no time of day like \"06:30\"");
    let text = json.as_str().ok_or_else(wrong)?;
    let digits = |part: &str| {
        let is_plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| part.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let (hour, minute) = digits(hour).zip(digits(minute)).ok_or_else(wrong)?;
    let total = hour * 60 + minute;
    if minute < 60 && total <= latest { Ok(total) } else { Err(wrong()) }
}
