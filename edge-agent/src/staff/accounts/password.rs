//! Passwords: argon2id, one at a time and off the async threads, so that guessing cannot eat the memory of a Pi.

use super::strength::is_guessed_soon;
use anyhow::{Context as _, Result, anyhow};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

/// Memory and passes of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

/// About 30 ms on a desktop and 150 ms on a Pi 4.
pub const COST: Cost = Cost { memory_kib: 12 * 1024, passes: 3 };
/// Who waits behind so many others is sent away.
const MAX_WAITING: usize = 8;
/// Without characters that look like others.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Hashes and verifies.
#[derive(Debug, Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    turn: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// Verified in place of the hash of an account that does not exist, to take the same time.
    decoy: Arc<str>,
}

/// Too many want to sign in at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins at the same moment")]
pub struct Busy;

impl Passwords {
    /// With this cost.
    pub fn new(cost: Cost) -> Result<Self> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None)
            .map_err(|error| anyhow!("the cost of passwords: {error}"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = hash(&argon2, "no password")?.as_str().into();
        let (turn, waiting) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(MAX_WAITING)));
        Ok(Self { argon2, turn, waiting, decoy })
    }

    /// A PHC string for the database.
    pub async fn hash(&self, password: Zeroizing<String>) -> Result<Zeroizing<String>> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Busy)?;
        let _turn = self.turn.acquire().await?;
        let argon2 = self.argon2.clone();
        spawn_blocking(move || hash(&argon2, &password)).await?
    }

    /// Whether the password is the one that was hashed. Without a hash: no, in the same time.
    pub async fn verify(
        &self,
        password: Zeroizing<String>,
        known: Option<Zeroizing<String>>,
    ) -> Result<bool> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Busy)?;
        let _turn = self.turn.acquire().await?;
        let argon2 = self.argon2.clone();
        let decoy = Arc::clone(&self.decoy);
        spawn_blocking(move || {
            let text = known.as_ref().map_or(&*decoy, |known| known.as_str());
            let hash = PasswordHash::new(text).map_err(|error| anyhow!("{error}"))?;
            let is_same = argon2.verify_password(password.as_bytes(), &hash).is_ok();
            Ok(is_same && known.is_some())
        })
        .await
        .context("a password was not checked")?
    }
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<Zeroizing<String>> {
    let hash = argon2.hash_password(password.as_bytes()).map_err(|error| anyhow!("{error}"))?;
    Ok(Zeroizing::new(hash.to_string()))
}

/// Random letters and digits in groups of four, 5 bits each.
pub fn random_words(groups: usize) -> Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(vec![0; groups * 4]);
    getrandom::fill(&mut bytes).context("the system has no random numbers")?;
    let mut text = Zeroizing::new(String::with_capacity(groups * 5));
    for (place, byte) in bytes.iter().enumerate() {
        if place > 0 && place % 4 == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    Ok(text)
}

/// Why a password that somebody chose is not taken.
pub fn objection(password: &str, name: &str) -> Option<&'static str> {
    let length = password.chars().count();
    if length < 10 {
        Some("a password has at least 10 characters")
    } else if length > 200 {
        Some("a password has at most 200 characters")
    } else if password.to_lowercase().contains(&name.to_lowercase()) {
        Some("a password does not contain the name")
    } else if password.chars().all(|c| password.starts_with(c)) {
        Some("a password is more than one character repeated")
    } else if is_guessed_soon(password, name) {
        Some(
            "this password is guessed too soon: common words, names, years and rows of keys count for little, so \
             take three or four words that do not belong together",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_password_that_was_hashed_is_right() {
        let passwords = Passwords::new(CHEAP).unwrap();
        let known = passwords.hash(secret("correct horse")).await.unwrap();

        assert!(passwords.verify(secret("correct horse"), Some(known.clone())).await.unwrap());
        assert!(!passwords.verify(secret("wrong horse"), Some(known)).await.unwrap());
        assert!(!passwords.verify(secret("no password"), None).await.unwrap());
    }

    #[test]
    fn a_random_password_is_long_and_of_plain_characters() {
        let one = random_words(4).unwrap();

        assert_eq!(one.len(), 19);
        assert!(one.chars().all(|c| c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit()));
        assert_ne!(one, random_words(4).unwrap());
        assert_eq!(objection(&one, "ada"), None);
    }

    #[test]
    fn weak_passwords_are_refused_with_the_reason() {
        assert!(objection("short", "ada").unwrap().contains("at least"));
        assert!(objection("AdaAda12345", "ada").unwrap().contains("name"));
        assert!(objection("aaaaaaaaaaaa", "bob").unwrap().contains("repeated"));
        assert!(objection("password12", "bob").unwrap().contains("guessed too soon"));
        assert!(objection(&"ab".repeat(101), "bob").unwrap().contains("at most"));
    }
}
