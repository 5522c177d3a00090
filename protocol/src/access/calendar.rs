//! The local days of a branch: IANA time zones with all their jumps, from data that is built in.
//!
//! A span of a day begins at the first moment at which the local clock shows at least its beginning, and ends
//! after the last moment at which the clock shows less than its end. So a night in which the clock goes
//! back keeps one span in one piece, and what lies in the hour that is skipped has no length.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, time};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use std::ops::Range;

/// Minutes of a day.
pub const DAY_MIN: u16 = 1_440;

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalTime(TimeZone);

/// Which end of a span a local time is.
#[derive(Clone, Copy)]
enum Edge {
    Begin,
    End,
}

impl LocalTime {
    /// Universal time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The zone with an IANA name, e.g. `Europe/Berlin`.
    pub fn named(name: &str) -> Option<Self> {
        TimeZoneDatabase::bundled().get(name).ok().map(Self)
    }

    /// What the calendar on the wall shows at this moment; the ends of time when it is out of range.
    pub fn date_at(&self, unix_ms: i64) -> Date {
        self.0.to_datetime(timestamp(unix_ms)).date()
    }

    /// What the clock on the wall shows at this moment; the ends of time when it is out of range.
    pub fn datetime_at(&self, unix_ms: i64) -> DateTime {
        self.0.to_datetime(timestamp(unix_ms))
    }

    /// The moments (Unix milliseconds) of a span that begins on `date` at minute `from_min` and ends before
    /// minute `until_min`: of the day after, if that is not later than `from_min`.
    pub fn span(&self, date: Date, from_min: u16, until_min: u16) -> Range<i64> {
        let end_date = if until_min > from_min { date } else { tomorrow(date) };
        let begin = self.instant(date, from_min, Edge::Begin);
        begin..self.instant(end_date, until_min, Edge::End).max(begin)
    }

    fn instant(&self, date: Date, minute: u16, edge: Edge) -> i64 {
        let (date, minute) =
            if minute >= DAY_MIN { (tomorrow(date), minute - DAY_MIN) } else { (date, minute) };
        let local = local(date, minute);
        let ambiguous = self.0.to_ambiguous_timestamp(local);
        let found = match (ambiguous.offset(), edge) {
            (AmbiguousOffset::Unambiguous { offset }, _) => offset.to_timestamp(local),
            (AmbiguousOffset::Fold { before, .. }, Edge::Begin) => before.to_timestamp(local),
            (AmbiguousOffset::Fold { after, .. }, Edge::End) => after.to_timestamp(local),
            // The new offset read backwards lies just before the jump, so the jump is the next one.
            (AmbiguousOffset::Gap { after, .. }, _) => after.to_timestamp(local).map(|before| {
                self.0.following(before).next().map_or(before, |jump| jump.timestamp())
            }),
        };
        found.map_or_else(|_| i64::from(date.year()).signum() * i64::MAX, Timestamp::as_millisecond)
    }
}

/// The day before; the same at the beginning of time.
pub(super) fn yesterday(date: Date) -> Date {
    date.yesterday().unwrap_or(date)
}

/// The day after; the same at the end of time.
pub(super) fn tomorrow(date: Date) -> Date {
    date.tomorrow().unwrap_or(date)
}

/// 0 for Monday to 6 for Sunday.
pub(super) fn weekday(date: Date) -> usize {
    usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())
}

fn local(date: Date, minute: u16) -> DateTime {
    let part = |value: u16| i8::try_from(value).unwrap_or(0);
    date.to_datetime(time(part(minute / 60 % 24), part(minute % 60), 0, 0))
}

fn timestamp(unix_ms: i64) -> Timestamp {
    let end = if unix_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(unix_ms).unwrap_or(end)
}
