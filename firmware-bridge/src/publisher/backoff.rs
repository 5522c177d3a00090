//! Pauses between tries: doubling, with jitter so that a branch's bridges do not come back in step.

use std::time::Duration;

/// The pause before the next try.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// Half to all of the present step; the step after it is twice as long.
    pub fn pause(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.longest);
        let jitter = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
        step.mul_f64(0.5 + 0.5 * jitter)
    }

    /// It worked.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// Trying soon would only do harm.
    pub fn stretch(&mut self) {
        self.next = self.longest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_start_again_after_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));

        let pauses: Vec<u128> = (0..4).map(|_| backoff.pause().as_millis()).collect();
        backoff.reset();

        assert!((50..=100).contains(&pauses[0]), "{pauses:?}");
        assert!((100..=200).contains(&pauses[1]), "{pauses:?}");
        assert!((175..=350).contains(&pauses[3]), "{pauses:?}");
        assert!(backoff.pause() <= Duration::from_millis(100));
    }
}
