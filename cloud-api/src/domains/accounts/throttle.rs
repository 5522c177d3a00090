//! Slows down guessing. Failures count per account and address, and per account from everywhere; the ceiling per
//! address alone is high, since a gym's members share one.

use super::guessing;
use super::model::Email;
use crate::app::App;
use crate::config::Auth;
use crate::counters::Counters;
use crate::http::{ClientAddress, Error, Result, rate};
use std::time::Duration;

/// An attempt that was one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// Until there may be another one.
    pub wait: Duration,
    /// Whether it is the first one too many of this account, from this address or from wherever.
    pub is_first: bool,
}

/// Failed logins of the recent past.
#[derive(Debug, Clone)]
pub struct Throttle {
    counters: Counters,
    max_failures: u32,
    max_per_account: u32,
    max_per_address: u32,
    window: Duration,
}

impl Throttle {
    pub fn new(counters: Counters, config: &Auth) -> Self {
        Self {
            counters,
            max_failures: config.max_failures,
            max_per_account: config.max_failures_per_account,
            max_per_address: config.max_failures_per_address,
            window: Duration::from_secs(config.failure_window_s),
        }
    }

    /// Counts an attempt as failed before it is made, so that attempts made at the same time count too.
    pub async fn attempt(
        &self,
        email: &Email,
        from: ClientAddress,
        now_ms: i64,
    ) -> Result<(), TooMany> {
        let [pair, account, address] = keys(email, from);
        let limits = [
            (pair, self.max_failures, true),
            (account, self.max_per_account, true),
            (address, self.max_per_address, false),
        ];
        let (mut wait, mut is_first) = (None, false);
        for (key, max, is_of_account) in limits {
            let count = self.counters.hit(&key, self.window, now_ms).await;
            if count.hits > max {
                wait = wait.max(Some(count.left(now_ms)));
                is_first |= is_of_account && count.hits == max + 1;
            }
        }
        wait.map_or(Ok(()), |wait| Err(TooMany { wait, is_first }))
    }

    /// Takes a counted attempt back: the password was right.
    pub async fn succeeded(&self, email: &Email, from: ClientAddress) {
        let [pair, account, address] = keys(email, from);
        self.counters.forget(&pair).await;
        self.counters.give_back(&account).await;
        self.counters.give_back(&address).await;
    }
}

/// Counts an attempt; one too many is refused, and the first of them noted for the owner of the account, if there is
/// one.
pub async fn attempt(app: &App, email: &Email, from: ClientAddress) -> Result<()> {
    let Err(refused) = app.throttle.attempt(email, from, app.clock.now_ms()).await else {
        return Ok(());
    };
    if refused.is_first {
        guessing::note_later(app, email).await?;
    }
    Err(too_many(refused.wait))
}

/// The answer to one attempt too many.
pub fn too_many(wait: Duration) -> Error {
    rate::too_many("too_many_attempts", "too many failed logins", wait.as_secs() + 1)
}

fn keys(email: &Email, from: ClientAddress) -> [String; 3] {
    let address = from.0;
    [format!("login:{email}:{address}"), format!("login:{email}"), format!("login:{address}")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn throttle() -> Throttle {
        let config = Auth {
            max_failures: 2,
            max_failures_per_account: 3,
            max_failures_per_address: 4,
            ..Auth::default()
        };
        Throttle::new(Counters::default(), &config)
    }

    fn from(last: u8) -> ClientAddress {
        ClientAddress(IpAddr::from([192, 0, 2, last]))
    }

    fn email(text: &str) -> Email {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn an_account_is_closed_to_an_address_until_the_window_is_over() {
        let throttle = throttle();
        throttle.attempt(&email("a@x"), from(1), 0).await.unwrap();
        throttle.attempt(&email("a@x"), from(1), 0).await.unwrap();

        let wait = throttle.attempt(&email("a@x"), from(1), 0).await.unwrap_err();

        assert!(wait.is_first);
        let later_ms = i64::try_from(wait.wait.as_millis()).unwrap();
        assert_eq!(throttle.attempt(&email("a@x"), from(1), later_ms).await, Ok(()));
    }

    #[tokio::test]
    async fn guessing_from_many_addresses_closes_the_account() {
        let throttle = throttle();
        for last in 1..=3 {
            throttle.attempt(&email("a@x"), from(last), 0).await.unwrap();
        }

        assert!(throttle.attempt(&email("a@x"), from(4), 0).await.is_err());
        assert_eq!(throttle.attempt(&email("b@x"), from(4), 0).await, Ok(()));
    }

    #[tokio::test]
    async fn an_address_has_its_own_higher_ceiling() {
        let throttle = throttle();
        for account in ["a@x", "b@x", "c@x", "d@x"] {
            throttle.attempt(&email(account), from(1), 0).await.unwrap();
        }

        assert!(throttle.attempt(&email("e@x"), from(1), 0).await.is_err());
    }

    #[tokio::test]
    async fn a_success_clears_the_account() {
        let throttle = throttle();
        for _ in 0..5 {
            throttle.attempt(&email("a@x"), from(1), 0).await.unwrap();
            throttle.succeeded(&email("a@x"), from(1)).await;
        }
    }
}
