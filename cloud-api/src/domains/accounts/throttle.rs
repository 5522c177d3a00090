//! Slows down guessing. Failures count per account and address; the ceiling per address alone is high, since a
//! gym's members share one. Counted in memory, by instance.

use super::model::Email;
use crate::config::Auth;
use crate::http::ClientAddress;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Failed logins of the recent past.
#[derive(Debug)]
pub struct Throttle {
    max_failures: u32,
    max_per_address: u32,
    window: Duration,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    by_account: HashMap<(Email, ClientAddress), Count>,
    by_address: HashMap<ClientAddress, Count>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    failures: u32,
    since: Instant,
}

impl Throttle {
    pub fn new(config: &Auth) -> Self {
        Self {
            max_failures: config.max_failures,
            max_per_address: config.max_failures_per_address,
            window: Duration::from_secs(config.failure_window_s),
            failures: Mutex::default(),
        }
    }

    /// Counts an attempt as failed before it is made, so that attempts made at the same time count too.
    /// Fails with the time to wait.
    pub fn attempt(&self, email: &Email, from: ClientAddress) -> Result<(), Duration> {
        let now = Instant::now();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (email.clone(), from);
        let account = self.current(&failures.by_account, &key, now);
        let address = self.current(&failures.by_address, &from, now);
        let full = [(account, self.max_failures), (address, self.max_per_address)];
        let until = full.into_iter().filter(|(count, max)| count.failures >= *max);
        if let Some(since) = until.map(|(count, _)| count.since).max() {
            return Err((since + self.window).saturating_duration_since(now));
        }
        make_room(&mut failures.by_account, now, self.window);
        make_room(&mut failures.by_address, now, self.window);
        failures.by_account.insert(key, account.plus_one());
        failures.by_address.insert(from, address.plus_one());
        Ok(())
    }

    /// Takes a counted attempt back: the password was right.
    pub fn succeeded(&self, email: &Email, from: ClientAddress) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.by_account.remove(&(email.clone(), from));
        if let Some(count) = failures.by_address.get_mut(&from) {
            count.failures = count.failures.saturating_sub(1);
        }
    }

    fn current<K: Hash + Eq>(&self, counts: &HashMap<K, Count>, key: &K, now: Instant) -> Count {
        let fresh = Count { failures: 0, since: now };
        let known = counts.get(key).copied();
        known.filter(|count| now.duration_since(count.since) < self.window).unwrap_or(fresh)
    }
}

impl Count {
    fn plus_one(self) -> Self {
        Self { failures: self.failures + 1, ..self }
    }
}

/// Keeps memory flat: forgets what is over, and if that is not enough, everything.
fn make_room<K: Hash + Eq>(counts: &mut HashMap<K, Count>, now: Instant, window: Duration) {
    if counts.len() < MAX_ENTRIES {
        return;
    }
    counts.retain(|_, count| now.duration_since(count.since) < window);
    if counts.len() >= MAX_ENTRIES {
        tracing::warn!("too many failed logins to count; counting anew");
        counts.clear();
    }
}

const MAX_ENTRIES: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn throttle() -> Throttle {
        Throttle::new(&Auth { max_failures: 2, max_failures_per_address: 3, ..Auth::default() })
    }

    fn from(last: u8) -> ClientAddress {
        ClientAddress(IpAddr::from([192, 0, 2, last]))
    }

    fn email(text: &str) -> Email {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_is_closed_to_an_address_until_the_window_is_over() {
        let throttle = throttle();
        throttle.attempt(&email("a@x"), from(1)).unwrap();
        throttle.attempt(&email("a@x"), from(1)).unwrap();

        let wait = throttle.attempt(&email("a@x"), from(1)).unwrap_err();
        assert_eq!(throttle.attempt(&email("a@x"), from(2)), Ok(()));
        tokio::time::advance(wait).await;
        assert_eq!(throttle.attempt(&email("a@x"), from(1)), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_its_own_higher_ceiling() {
        let throttle = throttle();
        for account in ["a@x", "b@x", "c@x"] {
            throttle.attempt(&email(account), from(1)).unwrap();
        }

        assert!(throttle.attempt(&email("d@x"), from(1)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_clears_the_account() {
        let throttle = throttle();
        for _ in 0..5 {
            throttle.attempt(&email("a@x"), from(1)).unwrap();
            throttle.succeeded(&email("a@x"), from(1));
        }
    }
}
