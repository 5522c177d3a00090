//! The code of the first start: 60 random bits, drawn anew at every start of the agent and kept in memory only. Guesses
//! are counted for all addresses together, since the code is one.

use crate::staff::accounts::random_words;
use anyhow::Result;
use std::sync::{Arc, Mutex, PoisonError};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Wrong ones that are free; then each costs a wait, so that an owner who mistypes is not shut out.
const FREE: u32 = 10;
const WAIT_MS: u64 = 5_000;

/// The code, and how often it was guessed wrong.
#[derive(Clone)]
pub struct FirstStart(Arc<Inner>);

struct Inner {
    code: Zeroizing<String>,
    wrong: Mutex<(u32, u64)>,
}

impl FirstStart {
    /// A new one.
    pub fn draw() -> Result<Self> {
        Ok(Self(Arc::new(Inner { code: random_words(3)?, wrong: Mutex::default() })))
    }

    /// The code, for the gateway's own screen and log.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// Whether this is the code, or words for who typed it.
    pub fn check(&self, typed: &str, now_ms: u64) -> Result<(), String> {
        let mut wrong = self.0.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, last_ms) = *wrong;
        if count >= FREE && now_ms < last_ms.saturating_add(WAIT_MS) {
            return Err("Too many wrong codes. Please wait a few seconds.".to_owned());
        }
        let same = plain(typed).as_bytes().ct_eq(plain(&self.0.code).as_bytes());
        if bool::from(same) {
            return Ok(());
        }
        *wrong = (count.saturating_add(1), now_ms);
        Err("That is not the code of this gateway.".to_owned())
    }
}

/// However it is typed: without dashes and spaces, in lower case.
fn plain(code: &str) -> Zeroizing<String> {
    let letters = code.chars().filter(char::is_ascii_alphanumeric);
    Zeroizing::new(letters.take(64).map(|letter| letter.to_ascii_lowercase()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_counts_however_it_is_typed() {
        let first = FirstStart::draw().unwrap();
        let typed = format!(" {} ", first.code().to_uppercase().replace('-', " "));

        assert_eq!(first.code().len(), 14);
        assert!(first.check(&typed, 0).is_ok());
        assert!(first.check("", 0).is_err());
        assert_ne!(first.code(), FirstStart::draw().unwrap().code());
    }

    #[test]
    fn guesses_are_slowed_down() {
        let first = FirstStart::draw().unwrap();
        for _ in 0..FREE {
            assert!(first.check("wrong", 1_000).unwrap_err().contains("not the code"));
        }

        assert!(first.check(first.code(), 1_001).unwrap_err().contains("wait"));
        assert!(first.check(first.code(), 6_001).is_ok());
    }
}
