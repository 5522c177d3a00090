//! Durations in a histogram, from a microsecond to ten minutes.

use hdrhistogram::Histogram;
use std::fmt;
use std::time::Duration;

/// Longer ones count as this.
const MAX: Duration = Duration::from_mins(10);

/// How long something took, many times.
#[derive(Debug, Clone)]
pub struct Times(Histogram<u64>);

impl Times {
    /// None yet.
    pub fn new() -> Self {
        let max_us = u64::try_from(MAX.as_micros()).expect("ten minutes");
        Self(Histogram::new_with_bounds(1, max_us, 3).expect("these bounds are possible"))
    }

    /// It took so long.
    pub fn record(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Adds others.
    pub fn merge(&mut self, others: &Self) {
        self.0.add(&others.0).expect("the bounds are the same");
    }

    /// A quantile: 0.5 is the median.
    pub fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(quantile))
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.0.len()
    }
}

impl Default for Times {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count() == 0 {
            return f.write_str("none");
        }
        let at = |quantile| self.quantile(quantile).as_secs_f64() * 1_000.0;
        write!(
            f,
            "p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            at(0.5),
            at(0.9),
            at(0.99),
            at(1.0)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut times = Times::new();

        (1..=100).for_each(|ms| times.record(Duration::from_millis(ms)));

        let median = times.quantile(0.5).as_secs_f64();
        assert!((median - 0.050).abs() < 0.001, "{median}");
        assert!(times.quantile(1.0) >= Duration::from_millis(100));
    }
}
