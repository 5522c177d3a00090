//! Opening hours and spans of a day, in zones whose clocks jump.

use crate::at;
use proptest::prelude::*;
use protocol::access::{BranchSettings, LocalTime};

fn branch(zone: &str, hours: &str, holidays: &str) -> BranchSettings {
    let zone = format!("{zone:?}");
    let pairs = [("time_zone", zone.as_str()), ("opening_hours", hours), ("holidays", holidays)];
    let (settings, errors) = BranchSettings::of(pairs);
    assert_eq!(errors, []);
    settings
}

fn berlin(hours: &str) -> BranchSettings {
    branch("Europe/Berlin", hours, "[]")
}

fn is_open(branch: &BranchSettings, moment: &str) -> bool {
    branch.hours.is_open(&branch.zone, at(moment))
}

fn closes(branch: &BranchSettings, moment: &str) -> Option<i64> {
    branch.hours.closes_at(&branch.zone, at(moment))
}

#[test]
fn a_branch_is_open_from_its_first_minute_to_before_its_last() {
    let branch = berlin(r#"{"mon":[["06:00","23:00"]]}"#);

    // 2026-11-23 is a Monday.
    assert!(!is_open(&branch, "2026-11-23T05:59:59+01:00"));
    assert!(is_open(&branch, "2026-11-23T06:00:00+01:00"));
    assert!(is_open(&branch, "2026-11-23T22:59:59+01:00"));
    assert!(!is_open(&branch, "2026-11-23T23:00:00+01:00"));
    assert!(!is_open(&branch, "2026-11-24T12:00:00+01:00"));
    assert_eq!(closes(&branch, "2026-11-23T07:00:00+01:00"), Some(at("2026-11-23T23:00:00+01:00")));
    assert_eq!(closes(&branch, "2026-11-24T07:00:00+01:00"), None);
}

#[test]
fn hours_that_pass_midnight_belong_to_the_day_on_which_they_begin() {
    let branch = berlin(r#"{"sat":[["20:00","03:00"]]}"#);

    assert!(!is_open(&branch, "2026-11-28T02:00:00+01:00"));
    assert!(is_open(&branch, "2026-11-28T23:59:59+01:00"));
    assert!(is_open(&branch, "2026-11-29T02:59:59+01:00"));
    assert!(!is_open(&branch, "2026-11-29T03:00:00+01:00"));
    assert_eq!(closes(&branch, "2026-11-28T21:00:00+01:00"), Some(at("2026-11-29T03:00:00+01:00")));
    assert_eq!(closes(&branch, "2026-11-29T01:00:00+01:00"), Some(at("2026-11-29T03:00:00+01:00")));
}

#[test]
fn hours_that_touch_are_one() {
    let branch =
        berlin(r#"{"fri":[["06:00","24:00"]],"sat":[["00:00","12:00"],["11:00","13:00"]]}"#);

    assert_eq!(closes(&branch, "2026-11-27T07:00:00+01:00"), Some(at("2026-11-28T13:00:00+01:00")));
    assert!(is_open(&branch, "2026-11-27T23:59:59.999+01:00"));
}

#[test]
fn a_branch_that_never_closes_has_no_closing_time() {
    let branch = BranchSettings::default();

    assert!(is_open(&branch, "2026-11-27T07:00:00Z"));
    assert_eq!(closes(&branch, "2026-11-27T07:00:00Z"), None);
}

#[test]
fn a_holiday_takes_the_place_of_its_day() {
    let branch = branch(
        "Europe/Berlin",
        r#"{"thu":[["06:00","01:00"]],"fri":[["06:00","23:00"]]}"#,
        r#"[{"date":"2026-12-25","closed":true},{"date":"2026-12-31","hours":[["08:00","14:00"]]}]"#,
    );

    // What began on the day before goes on.
    assert!(is_open(&branch, "2026-12-25T00:30:00+01:00"));
    assert!(!is_open(&branch, "2026-12-25T12:00:00+01:00"));
    assert!(!is_open(&branch, "2026-12-31T06:30:00+01:00"));
    assert_eq!(closes(&branch, "2026-12-31T09:00:00+01:00"), Some(at("2026-12-31T14:00:00+01:00")));
}

/// On 2026-03-29 at 02:00 the clocks of Berlin go to 03:00.
#[test]
fn in_spring_the_hour_that_is_skipped_has_no_length() {
    let within = berlin(r#"{"sun":[["02:00","03:00"]]}"#);
    let from_within = berlin(r#"{"sun":[["02:30","04:00"]]}"#);
    let until_within = berlin(r#"{"sun":[["01:00","02:30"]]}"#);

    assert!(!is_open(&within, "2026-03-29T01:59:59+01:00"));
    assert!(!is_open(&within, "2026-03-29T03:00:00+02:00"));
    assert!(!is_open(&from_within, "2026-03-29T01:59:59+01:00"));
    assert!(is_open(&from_within, "2026-03-29T03:00:00+02:00"));
    assert!(is_open(&until_within, "2026-03-29T01:59:59+01:00"));
    assert!(!is_open(&until_within, "2026-03-29T03:00:00+02:00"));
}

/// On 2026-10-25 at 03:00 the clocks of Berlin go to 02:00.
#[test]
fn in_autumn_the_hour_that_comes_twice_is_in_one_piece() {
    let from_within = berlin(r#"{"sun":[["02:30","04:00"]]}"#);
    let until_within = berlin(r#"{"sun":[["01:00","02:30"]]}"#);

    assert!(!is_open(&from_within, "2026-10-25T02:29:59+02:00"));
    assert!(is_open(&from_within, "2026-10-25T02:30:00+02:00"));
    assert!(is_open(&from_within, "2026-10-25T02:15:00+01:00"));
    assert!(is_open(&until_within, "2026-10-25T02:45:00+02:00"));
    assert!(is_open(&until_within, "2026-10-25T02:29:59+01:00"));
    assert!(!is_open(&until_within, "2026-10-25T02:30:00+01:00"));
}

#[test]
fn a_day_may_have_more_or_less_than_24_hours() {
    let branch = berlin(r#"{"sun":[["00:00","24:00"]]}"#);

    assert!(!is_open(&branch, "2026-10-24T23:59:59+02:00"));
    assert!(is_open(&branch, "2026-10-25T00:00:00+02:00"));
    assert!(is_open(&branch, "2026-10-25T23:59:59+01:00"));
    assert!(!is_open(&branch, "2026-10-26T00:00:00+01:00"));
}

/// The local clock as minutes since the epoch, minute by minute; what a person would read off the wall.
fn wall_min(zone: &jiff::tz::TimeZone, unix_min: i64) -> i64 {
    let local = zone.to_datetime(jiff::Timestamp::from_second(unix_min * 60).unwrap());
    local.duration_since(jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0)).as_secs() / 60
}

proptest! {
    #![proptest_config(crate::cases())]

    /// Lord Howe's clocks jump by half an hour, at 02:00.
    #[test]
    fn a_span_is_what_the_clock_on_the_wall_says(
        zone in prop_oneof![
            Just("Europe/Berlin"), Just("America/New_York"), Just("Australia/Lord_Howe"),
            Just("Asia/Kathmandu"), Just("Pacific/Apia"),
        ],
        day in prop_oneof![0..6_000_i16, Just(2_644), Just(2_854), Just(2_651)],
        from_min in 0..1_440_u16,
        until_min in 0..=1_440_u16,
    ) {
        let local = LocalTime::named(zone).unwrap();
        let zone = jiff::tz::TimeZone::get(zone).unwrap();
        let date = jiff::civil::date(2_019, 1, 1).saturating_add(jiff::Span::new().days(day));
        let midnight = date.at(0, 0, 0, 0).duration_since(jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0));
        let (wall_from, days) = (midnight.as_secs() / 60, i64::from(until_min <= from_min));
        let wall_until = wall_from + i64::from(until_min) + days * 1_440;
        let wall_from = wall_from + i64::from(from_min);
        // Two days on each side of it, by universal time.
        let minutes = || wall_from - 2_880..wall_until + 2_880;

        let first = minutes().find(|minute| wall_min(&zone, *minute) >= wall_from).unwrap();
        let last = minutes().rev().find(|minute| wall_min(&zone, *minute) < wall_until).unwrap();
        let span = local.span(date, from_min, until_min);

        prop_assert_eq!(span, first * 60_000..((last + 1) * 60_000).max(first * 60_000));
    }
}
