//! Settings of a branch: defaults, what is read, and how a wrong one is told.

use proptest::prelude::*;
use protocol::access::settings::{AntiPassback, SETTING_KEYS, TimeUncertainPolicy};
use protocol::access::{BranchSettings, LocalTime};

#[test]
fn without_settings_the_defaults_count() {
    let (settings, errors) = BranchSettings::of([]);

    assert_eq!(errors, []);
    assert_eq!(settings, BranchSettings::default());
    assert_eq!(settings.zone, LocalTime::utc());
    assert_eq!((settings.site_no, settings.grace_days, settings.door_open_ms), (0, 7, 3_000));
    assert_eq!(settings.time_uncertain, TimeUncertainPolicy::Allow);
    assert_eq!(settings.anti_passback, AntiPassback::Off);
    assert_eq!(settings.session_max_min, 240);
    assert!(settings.hours.is_open(&settings.zone, 0));
}

#[test]
fn every_setting_is_read() {
    let (settings, errors) = BranchSettings::of([
        ("site_no", "12"),
        ("time_zone", "\"Europe/Berlin\""),
        (
            "opening_hours",
            r#"{"mon":[["06:00","23:00"]],"sat":[["10:00","14:00"],["16:00","02:00"]]}"#,
        ),
        ("holidays", r#"[{"date":"2026-12-25","closed":true,"name":"Christmas"}]"#),
        ("grace_days", "14"),
        ("time_uncertain_policy", "\"deny\""),
        ("door_open_ms", "5000"),
        ("anti_passback", "\"warn\""),
        ("sun_keys", "null"),
        ("session_max_min", "180"),
        ("link_idle_s", "120"),
        ("queue_offer_s", "60"),
        ("branch_name", "\"Mitte\""),
    ]);

    assert_eq!(errors, []);
    assert_eq!(Some(settings.zone), LocalTime::named("Europe/Berlin"));
    assert_eq!((settings.site_no, settings.grace_days, settings.door_open_ms), (12, 14, 5_000));
    assert_eq!(settings.time_uncertain, TimeUncertainPolicy::Deny);
    assert_eq!(settings.anti_passback, AntiPassback::Warn);
    let limits = (settings.session_max_min, settings.link_idle_s, settings.queue_offer_s);
    assert_eq!(limits, (180, 120, 60));
}

/// What is said about a wrong value; the settings stay as they were.
fn refused(key: &str, json: &str) -> String {
    let mut settings = BranchSettings::default();
    let error = settings.set(key, json).unwrap_err();
    assert_eq!(settings, BranchSettings::default());
    error.to_string()
}

#[test]
fn a_wrong_setting_is_told_with_its_place_and_changes_nothing() {
    let hours = |json: &str| refused("opening_hours", json);
    let holidays = |json: &str| refused("holidays", json);

    assert_eq!(refused("site_no", "0"), "the setting site_no is no whole number from 1 to 65535");
    assert_eq!(
        refused("time_zone", "\"Mars/Olympus\""),
        "the setting time_zone \"Mars/Olympus\" is no time zone like \"Europe/Berlin\""
    );
    assert_eq!(hours("[]"), "the setting opening_hours is no object of days");
    assert_eq!(
        hours(r#"{"monday":[]}"#),
        "the setting opening_hours \"monday\" is none of mon, tue, wed, thu, fri, sat, sun"
    );
    assert_eq!(
        hours(r#"{"mon":[["6","23:00"]]}"#),
        "the setting opening_hours mon: \"6\" is no time of day like \"06:30\""
    );
    assert_eq!(
        hours(r#"{"mon":[["24:00","23:00"]]}"#),
        "the setting opening_hours mon: \"24:00\" is no time of day like \"06:30\""
    );
    assert_eq!(
        holidays(r#"[{"date":"2026-12-32","closed":true}]"#),
        "the setting holidays [0]: date \"2026-12-32\" is none like 2026-12-25"
    );
    assert_eq!(
        holidays(r#"[{"date":"2026-12-25"}]"#),
        "the setting holidays [0]: needs either \"closed\": true or hours"
    );
    assert_eq!(
        refused("door_open_ms", "100"),
        "the setting door_open_ms is no whole number from 200 to 60000"
    );
    assert!(
        refused("anti_passback", "\"maybe\"").contains("expected one of `off`, `warn`, `deny`")
    );
    assert_eq!(refused("sun_keys", "{}"), "the setting sun_keys needs file_master");
}

#[test]
fn one_wrong_setting_does_not_hurt_the_others() {
    let (settings, errors) = BranchSettings::of([("grace_days", "-1"), ("door_open_ms", "4000")]);

    assert_eq!(errors.len(), 1);
    assert_eq!((settings.grace_days, settings.door_open_ms), (7, 4_000));
}

#[test]
fn every_setting_goes_back_to_its_default() {
    let (mut settings, _) = BranchSettings::of([
        ("site_no", "12"),
        ("time_zone", "\"Asia/Tokyo\""),
        ("opening_hours", "{}"),
        ("holidays", r#"[{"date":"2026-12-25","closed":true}]"#),
        ("grace_days", "1"),
        ("time_uncertain_policy", "\"deny\""),
        ("door_open_ms", "900"),
        ("anti_passback", "\"deny\""),
        ("sun_keys", r#"{"file_master":"00000000000000000000000000000000","diversify":"hmac"}"#),
        ("session_max_min", "60"),
        ("link_idle_s", "60"),
        ("queue_offer_s", "60"),
    ]);
    assert!(settings.sun_keys.is_some());

    for key in SETTING_KEYS {
        settings.reset(key);
    }

    assert_eq!(settings, BranchSettings::default());
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let word = prop_oneof![
        Just("mon".to_owned()),
        Just("date".to_owned()),
        Just("hours".to_owned()),
        Just("2026-12-25".to_owned()),
        Just("file_master".to_owned()),
        "[0-9:]{0,6}",
        ".{0,8}",
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        word.clone().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::hash_map(word.clone(), inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn no_value_makes_it_panic_and_a_refused_one_changes_nothing(
        key in proptest::sample::select(&SETTING_KEYS[..]),
        json in any_json(),
        noise in ".{0,20}",
    ) {
        let mut settings = BranchSettings::default();
        for text in [json.to_string(), noise] {
            let before = settings.clone();
            let result = settings.set(key, &text);
            prop_assert!(result.is_ok() || settings == before);
        }
        settings.hours.is_open(&settings.zone, 1_795_392_000_000);
        settings.hours.closes_at(&settings.zone, i64::MAX);
        settings.hours.closes_at(&settings.zone, i64::MIN);
    }
}
