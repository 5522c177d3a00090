//! How long somebody waits who gave wrong passwords: counted for the pair of account and address, for the address and
//! for the account. The counts are bounded and outlive a restart; a wait starts anew with the computer.
//!
//! The pair is what stops guessing. The address alone has room for the typing errors of a whole team, and the account
//! alone never waits long, so that nobody can lock a colleague out from another device.

use crate::registry::staff::FailureRow;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::net::IpAddr;

/// A count that nobody added to for so long is forgotten.
const FORGET_MS: u64 = 24 * 3_600_000;
/// Bound on memory and rows; beyond, the smallest and oldest counts make way.
const MAX_SUBJECTS: usize = 4_096;

/// For whom failures are counted: how many are free, and the longest wait.
#[derive(Debug, Clone, Copy)]
struct Rule {
    free: u32,
    max_wait_ms: u64,
}

const PAIR: Rule = Rule { free: 5, max_wait_ms: 15 * 60_000 };
const ADDRESS: Rule = Rule { free: 30, max_wait_ms: 15 * 60_000 };
const ACCOUNT: Rule = Rule { free: 50, max_wait_ms: 10_000 };
/// The first wait; each further failure doubles it.
const FIRST_WAIT_MS: u64 = 5_000;

/// Who tries, as the three subjects that are counted.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    pair: [u8; 32],
    address: [u8; 32],
    account: [u8; 32],
}

impl Attempt {
    /// At an account from an address; IPv6 addresses count by their network.
    pub fn new(login: &str, address: IpAddr) -> Self {
        let network = match address.to_canonical() {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets()[..8].to_vec(),
        };
        let login = login.to_lowercase();
        Self {
            pair: subject(b"pair", &[&network, login.as_bytes()]),
            address: subject(b"address", &[&network]),
            account: subject(b"account", &[login.as_bytes()]),
        }
    }

    fn rules(&self) -> [([u8; 32], Rule); 3] {
        [(self.pair, PAIR), (self.address, ADDRESS), (self.account, ACCOUNT)]
    }
}

fn subject(kind: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(kind);
    for part in parts {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[derive(Debug, Clone, Copy)]
struct Count {
    count: u32,
    mono_ms: u64,
}

/// The counts.
#[derive(Debug)]
pub struct Throttle {
    boot: u64,
    counts: HashMap<[u8; 32], Count>,
}

/// What is to be written after an attempt.
#[derive(Debug, Default)]
pub struct Written {
    /// Counts that changed.
    pub counted: Vec<FailureRow>,
    /// Counts that are gone.
    pub forgotten: Vec<[u8; 32]>,
}

impl Throttle {
    /// What an earlier start has kept; of another start of the computer, waits begin now.
    pub fn new(boot: u64, now_ms: u64, rows: &[FailureRow]) -> Self {
        let counts = rows.iter().map(|row| {
            let mono_ms = if row.boot == boot { row.mono_ms } else { now_ms };
            (row.subject, Count { count: row.count, mono_ms })
        });
        Self { boot, counts: counts.collect() }
    }

    /// Milliseconds until they may try; 0 is now.
    pub fn wait_ms(&self, attempt: &Attempt, now_ms: u64) -> u64 {
        let waits = attempt.rules().into_iter().filter_map(|(subject, rule)| {
            let known = self.counts.get(&subject)?;
            Some((known.mono_ms + rule.wait_ms(known.count)).saturating_sub(now_ms))
        });
        waits.max().unwrap_or(0)
    }

    /// Counts a failure.
    pub fn failed(&mut self, attempt: &Attempt, now_ms: u64) -> Written {
        let mut written = Written { forgotten: self.forget(now_ms), ..Written::default() };
        for (subject, _) in attempt.rules() {
            let known = self.counts.entry(subject).or_insert(Count { count: 0, mono_ms: now_ms });
            known.count = known.count.saturating_add(1);
            known.mono_ms = now_ms;
            let (count, boot) = (known.count, self.boot);
            written.counted.push(FailureRow { subject, count, boot, mono_ms: now_ms });
        }
        written
    }

    /// The right password was given: what was counted for this attempt is taken back. The address keeps its other
    /// failures, since an attacker may own an account.
    pub fn succeeded(&mut self, attempt: &Attempt) -> Written {
        let mut written = Written::default();
        for subject in [attempt.pair, attempt.account] {
            if self.counts.remove(&subject).is_some() {
                written.forgotten.push(subject);
            }
        }
        if let Some(known) = self.counts.get_mut(&attempt.address) {
            known.count = known.count.saturating_sub(1);
            let (subject, boot) = (attempt.address, self.boot);
            let Count { count, mono_ms } = *known;
            written.counted.push(FailureRow { subject, count, boot, mono_ms });
        }
        written
    }

    fn forget(&mut self, now_ms: u64) -> Vec<[u8; 32]> {
        let is_old = |count: &Count| now_ms.saturating_sub(count.mono_ms) > FORGET_MS;
        let mut gone: Vec<_> =
            self.counts.iter().filter(|(_, count)| is_old(count)).map(|(key, _)| *key).collect();
        if self.counts.len() - gone.len() + 3 > MAX_SUBJECTS {
            let mut all: Vec<_> =
                self.counts.iter().map(|(key, known)| (known.count, known.mono_ms, *key)).collect();
            all.sort_unstable();
            gone.extend(all.iter().take(MAX_SUBJECTS / 8).map(|(_, _, key)| *key));
        }
        for key in &gone {
            self.counts.remove(key);
        }
        gone
    }
}

impl Rule {
    fn wait_ms(self, count: u32) -> u64 {
        match count.checked_sub(self.free) {
            None => 0,
            Some(over) => (FIRST_WAIT_MS << over.min(16)).min(self.max_wait_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(login: &str, address: &str) -> Attempt {
        Attempt::new(login, address.parse().unwrap())
    }

    #[test]
    fn five_failures_are_free_and_then_each_doubles_the_wait() {
        let (mut throttle, ada) = (Throttle::new(1, 0, &[]), at("ada", "10.0.0.1"));
        for _ in 0..4 {
            throttle.failed(&ada, 1_000);
        }
        assert_eq!(throttle.wait_ms(&ada, 1_000), 0);

        throttle.failed(&ada, 1_000);
        assert_eq!(throttle.wait_ms(&ada, 1_000), 5_000);
        throttle.failed(&ada, 6_000);
        assert_eq!(throttle.wait_ms(&ada, 6_000), 10_000);
        (0..60).for_each(|_| drop(throttle.failed(&ada, 6_000)));
        assert_eq!(throttle.wait_ms(&ada, 6_000), 15 * 60_000);
    }

    #[test]
    fn an_attacker_elsewhere_delays_the_owner_by_seconds_only() {
        let mut throttle = Throttle::new(1, 0, &[]);
        for n in 0..200 {
            throttle.failed(&at("ada", &format!("10.0.1.{n}")), 1_000);
        }

        assert!(throttle.wait_ms(&at("ada", "10.0.0.1"), 1_000) <= 10_000);
        assert_eq!(throttle.wait_ms(&at("bob", "10.0.0.1"), 1_000), 0);
    }

    #[test]
    fn one_address_cannot_try_many_names() {
        let mut throttle = Throttle::new(1, 0, &[]);
        for n in 0..40 {
            throttle.failed(&at(&format!("name{n}"), "2001:db8::1"), 1_000);
        }

        assert!(throttle.wait_ms(&at("new", "2001:db8::2"), 1_000) > 60_000, "the same network");
        assert_eq!(throttle.wait_ms(&at("new", "2001:db8:1::2"), 1_000), 0);
    }

    #[test]
    fn a_restart_forgets_nothing_and_memory_is_bounded() {
        let mut throttle = Throttle::new(1, 0, &[]);
        let ada = at("ada", "10.0.0.1");
        let rows = (0..8).flat_map(|_| throttle.failed(&ada, 1_000).counted).collect::<Vec<_>>();

        let again = Throttle::new(2, 50, &rows);
        assert_eq!(again.wait_ms(&ada, 50), 40_000, "the wait begins anew with the computer");

        for n in 0..20_000u32 {
            let address = std::net::Ipv4Addr::from(n).to_string();
            throttle.failed(&at("x", &address), 2_000);
        }
        assert!(throttle.counts.len() <= MAX_SUBJECTS);
        assert!(throttle.wait_ms(&ada, 2_000) > 0, "large counts stay");
    }

    #[test]
    fn the_right_password_and_a_day_forget() {
        let mut throttle = Throttle::new(1, 0, &[]);
        let (ada, bob) = (at("ada", "10.0.0.1"), at("bob", "10.0.0.2"));
        (0..8).for_each(|_| drop(throttle.failed(&ada, 1_000)));

        assert_eq!(throttle.succeeded(&ada).forgotten.len(), 2);
        assert_eq!(throttle.wait_ms(&ada, 1_000), 0);
        let gone = throttle.failed(&bob, 1_001 + FORGET_MS).forgotten;
        assert_eq!(gone.len(), 1, "the address of ada");
    }
}
