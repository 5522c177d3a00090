//! Limits per connection and per address: how fast, how many, and what a failed login costs.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Lets so many through per second on average; who is over it waits, nothing is dropped.
#[derive(Debug)]
pub struct Bucket {
    tokens: f64,
    per_s: f64,
    burst: f64,
    at: Duration,
}

impl Bucket {
    pub fn new(per_s: u32, now: Duration) -> Self {
        let burst = f64::from(per_s) * 2.0;
        Self { tokens: burst, per_s: f64::from(per_s), burst, at: now }
    }

    /// Takes tokens, and says how long to wait before the next are taken.
    pub fn take(&mut self, count: u32, now: Duration) -> Option<Duration> {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = now;
        self.tokens = (self.tokens + passed * self.per_s).min(self.burst) - f64::from(count);
        (self.tokens < 0.0).then(|| Duration::from_secs_f64(-self.tokens / self.per_s))
    }
}

/// Failed logins by address. Guessing a secret of 128 bits is hopeless anyway; the delay keeps the guesses from
/// costing anybody else, and a right password is never delayed.
#[derive(Debug, Default)]
pub struct FailedLogins(HashMap<IpAddr, (u32, Duration)>);

/// Addresses remembered; when there are more, the quiet ones are forgotten.
const ADDRESSES: usize = 4_096;
const FORGET: Duration = Duration::from_mins(1);
const FREE_TRIES: u32 = 3;
const LONGEST: Duration = Duration::from_secs(4);

impl FailedLogins {
    /// Counts a failure, and says how long its answer is to wait.
    pub fn failed(&mut self, address: IpAddr, now: Duration) -> Duration {
        if self.0.len() >= ADDRESSES {
            self.0.retain(|_, (_, at)| now.saturating_sub(*at) < FORGET);
        }
        if self.0.len() >= ADDRESSES {
            self.0.clear();
        }
        let (count, at) = self.0.entry(address).or_insert((0, now));
        if now.saturating_sub(*at) >= FORGET {
            *count = 0;
        }
        *count = count.saturating_add(1);
        *at = now;
        let doublings = count.saturating_sub(FREE_TRIES).min(8);
        if doublings == 0 {
            Duration::ZERO
        } else {
            Duration::from_millis(50 << doublings).min(LONGEST)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_passes_and_what_comes_after_it_waits() {
        let mut bucket = Bucket::new(10, Duration::ZERO);

        let burst = bucket.take(20, Duration::ZERO);
        let more = bucket.take(5, Duration::ZERO);
        let later = bucket.take(5, SECOND);

        assert_eq!((burst, more, later), (None, Some(SECOND / 2), None));
    }

    #[test]
    fn answers_to_wrong_logins_get_slower_and_recover() {
        let mut failures = FailedLogins::default();
        let address = IpAddr::from([10, 0, 0, 1]);

        let first = failures.failed(address, Duration::ZERO);
        let delays: Vec<_> = (0..20).map(|_| failures.failed(address, SECOND)).collect();
        let other = failures.failed(IpAddr::from([10, 0, 0, 2]), SECOND);
        let recovered = failures.failed(address, SECOND * 100);

        assert_eq!((first, other, recovered), (Duration::ZERO, Duration::ZERO, Duration::ZERO));
        assert!(delays.is_sorted());
        assert_eq!(delays.last(), Some(&LONGEST));
    }
}
