//! How long to wait before trying again: longer and longer, never at the same moment as the other branches.

use std::time::Duration;

/// Waiting times between tries.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    tries: u32,
}

impl Backoff {
    /// From `first`, doubling up to `cap`.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap, tries: 0 }
    }

    /// It worked: the next failure starts from the beginning.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    /// The next wait: between half of the present step and all of it.
    pub fn next_wait(&mut self) -> Duration {
        let step = self.first.saturating_mul(1 << self.tries.min(20)).min(self.cap);
        self.tries = self.tries.saturating_add(1);
        jittered(step)
    }
}

/// Between half of `whole` and all of it.
pub fn jittered(whole: Duration) -> Duration {
    let mut random = [0; 2];
    // Without random numbers the branches only lose their spread.
    let _ = getrandom::fill(&mut random);
    whole / 2 + whole.mul_f64(f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX)) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_grow_to_the_cap_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_mins(1));

        let waits: Vec<_> = (0..40).map(|_| backoff.next_wait()).collect();
        backoff.reset();

        assert!(waits[0] <= Duration::from_millis(200));
        assert!(waits[39] >= Duration::from_secs(30) && waits[39] <= Duration::from_mins(1));
        assert!(backoff.next_wait() <= Duration::from_millis(200));
    }

    proptest! {
        #[test]
        fn jitter_stays_within_half_and_whole(ms in 0_u64..100_000) {
            let whole = Duration::from_millis(ms);

            let wait = jittered(whole);

            prop_assert!(wait >= whole / 2 && wait <= whole);
        }
    }
}
