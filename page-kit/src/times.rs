//! Moments and spans as people read them, in the branch's zone.

use protocol::access::LocalTime;

/// `14:05:09`.
pub fn clock(zone: &LocalTime, unix_ms: i64) -> String {
    let at = zone.datetime_at(unix_ms);
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

/// `45 s`, `12 min`, `3 h`, `5 days`.
pub fn span(ms: u64) -> String {
    let s = ms / 1_000;
    match s {
        0..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s / 60),
        7_200..172_800 => format!("{} h", s / 3_600),
        _ => format!("{} days", s / 86_400),
    }
}

/// `14:05`.
pub fn minute(zone: &LocalTime, unix_ms: i64) -> String {
    let at = zone.datetime_at(unix_ms);
    format!("{:02}:{:02}", at.hour(), at.minute())
}

/// `2026-11-21 14:05`.
pub fn moment(zone: &LocalTime, unix_ms: i64) -> String {
    format!("{} {}", zone.date_at(unix_ms), minute(zone, unix_ms))
}
