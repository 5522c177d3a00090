//! Who may enter: settings, opening hours, decisions.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod decision;
mod hours;
mod model;
mod settings;

/// 64 cases of each property, or as many as `PROPTEST_CASES` says.
pub fn cases() -> proptest::prelude::ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        proptest::prelude::ProptestConfig::default()
    } else {
        proptest::prelude::ProptestConfig::with_cases(64)
    }
}

/// Unix milliseconds of a moment such as `2026-03-29T01:59:00+01:00`.
pub fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}
