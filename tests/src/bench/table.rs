//! Results: what was measured, the figure, what it is held against, and whether that is met.

use crate::times::Times;
use std::fmt;
use std::time::Duration;

/// One line of the result.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The figure with its unit.
    pub figure: String,
    /// The limit or the peer, measured in the same run, with its figure.
    pub against: String,
    /// Whether it is met; nothing for a figure that is only told.
    pub passed: Option<bool>,
}

impl Row {
    /// A figure that is held against a limit or peer.
    pub fn judged(what: &str, figure: String, against: String, passed: bool) -> Self {
        Self { what: what.to_owned(), figure, against, passed: Some(passed) }
    }

    /// The 99th percentile of times that is held against a limit.
    pub fn p99(what: &str, times: &Times, limit: Duration) -> Self {
        let at = |quantile| times.quantile(quantile);
        Self::judged(
            what,
            format!("{:.1?}", at(0.99)),
            format!("at most {limit:?} (p50 {:.1?}, max {:.1?})", at(0.5), at(1.0)),
            at(0.99) <= limit,
        )
    }

    /// A figure that is only told.
    pub fn told(what: &str, figure: String, against: String) -> Self {
        Self { what: what.to_owned(), figure, against, passed: None }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.passed {
            Some(true) => "pass",
            Some(false) => "MISS",
            None => "",
        };
        write!(f, "{:<54} {:>22}  {:<58} {verdict}", self.what, self.figure, self.against)
    }
}

/// A number with its thousands apart.
pub fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 && digit.is_ascii_digit() {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_stand_apart() {
        assert_eq!(super::grouped(1_234_567.0), "1 234 567");
        assert_eq!(super::grouped(12.0), "12");
    }
}
