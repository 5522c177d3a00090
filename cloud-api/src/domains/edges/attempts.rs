//! Slows down the guessing of enrolment codes: failures by address, counted in memory.

use crate::http::ClientAddress;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Failed enrolments of the recent past. All attempts together have a ceiling too, so that many addresses
/// do not guess faster than one.
#[derive(Debug, Default)]
pub struct EnrollAttempts(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_address: HashMap<ClientAddress, Count>,
    all: Option<Count>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    failures: u32,
    since: Instant,
}

const MAX_PER_ADDRESS: u32 = 10;
const MAX_OF_ALL: u32 = 10_000;
const WINDOW: Duration = Duration::from_mins(15);

impl EnrollAttempts {
    /// Counts an attempt as failed before it is made. Fails with the time to wait.
    pub fn attempt(&self, from: ClientAddress) -> Result<(), Duration> {
        let now = Instant::now();
        let fresh = Count { failures: 0, since: now };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.by_address.retain(|_, count| now.duration_since(count.since) < WINDOW);
        let mut all =
            counts.all.filter(|all| now.duration_since(all.since) < WINDOW).unwrap_or(fresh);
        // The ceiling of all bounds the number of addresses that are remembered.
        if all.failures >= MAX_OF_ALL {
            return Err((all.since + WINDOW).duration_since(now));
        }
        let own = counts.by_address.entry(from).or_insert(fresh);
        if own.failures >= MAX_PER_ADDRESS {
            return Err((own.since + WINDOW).duration_since(now));
        }
        own.failures += 1;
        all.failures += 1;
        counts.all = Some(all);
        Ok(())
    }

    /// Takes an attempt back.
    pub fn succeeded(&self, from: ClientAddress) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = counts.by_address.get_mut(&from) {
            own.failures = own.failures.saturating_sub(1);
        }
        if let Some(all) = &mut counts.all {
            all.failures = all.failures.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn from(last: u8) -> ClientAddress {
        ClientAddress(IpAddr::from([192, 0, 2, last]))
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_waits_after_ten_failures() {
        let attempts = EnrollAttempts::default();
        (0..MAX_PER_ADDRESS).for_each(|_| attempts.attempt(from(1)).unwrap());

        let wait = attempts.attempt(from(1)).unwrap_err();
        assert_eq!(attempts.attempt(from(2)), Ok(()));
        tokio::time::advance(wait).await;
        assert_eq!(attempts.attempt(from(1)), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn successes_do_not_count() {
        let attempts = EnrollAttempts::default();
        for _ in 0..2 * MAX_PER_ADDRESS {
            attempts.attempt(from(1)).unwrap();
            attempts.succeeded(from(1));
        }
    }
}
