//! When what happens: the cloud is cut from the edge in the middle of the run.

use std::time::Duration;

/// The usual run, which other lengths are scaled from.
const USUAL: Duration = Duration::from_secs(45);
const CUT_AT: Duration = Duration::from_secs(15);
const CUT_FOR: Duration = Duration::from_secs(10);

/// The plan of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Script {
    /// When the link is cut.
    pub cut: Duration,
    /// When it heals.
    pub heal: Duration,
    /// When the gym closes.
    pub close: Duration,
}

impl Script {
    /// Cut after 15 s for 10 s; shorter runs in proportion.
    pub fn new(duration: Duration) -> Self {
        let scale = (duration.as_secs_f64() / USUAL.as_secs_f64()).min(1.0);
        let cut = CUT_AT.mul_f64(scale);
        Self { cut, heal: cut + CUT_FOR.mul_f64(scale), close: duration }
    }

    /// Whether the link is cut then.
    pub fn is_cut(&self, at: Duration) -> bool {
        (self.cut..self.heal).contains(&at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_run_is_cut_after_15_s_for_10_s_and_short_ones_in_proportion() {
        let usual = Script::new(Duration::from_secs(45));
        let short = Script::new(Duration::from_secs(9));

        assert_eq!((usual.cut.as_secs(), usual.heal.as_secs()), (15, 25));
        assert_eq!((short.cut.as_secs(), short.heal.as_secs()), (3, 5));
    }
}
