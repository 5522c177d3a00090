//! Passwords: argon2id, a few at a time on threads that give way, so that logins cannot stall the service. Imported
//! bcrypt hashes are verified too, and replaced when their password is used.

use crate::config::Auth;
use crate::http::{Error, Result};
use anyhow::{Context, anyhow};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use rustix::process::setpriority_process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use zxcvbn::{Score, zxcvbn};

/// Hashes and verifies.
#[derive(Debug, Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    slots: Arc<Semaphore>,
    /// Verified in place of the hash of a user that does not exist, to take the same time.
    decoy: Arc<str>,
    runs: Arc<AtomicU64>,
}

/// What verifying found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub is_right: bool,
    /// A hash of the right password as it is made today, where the known one is weaker.
    pub better_hash: Option<String>,
}

impl Passwords {
    pub fn new(config: &Auth) -> anyhow::Result<Self> {
        let params = Params::new(config.hash_memory_kib, config.hash_passes, 1, None)
            .map_err(|error| anyhow!("auth.hash_memory_kib, auth.hash_passes: {error}"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = hash(&argon2, "no password")?;
        Ok(Self {
            argon2,
            slots: Arc::new(Semaphore::new(config.hash_concurrency)),
            decoy: decoy.into(),
            runs: Arc::default(),
        })
    }

    /// A PHC string for the database.
    pub async fn hash(&self, password: String) -> anyhow::Result<String> {
        let argon2 = self.argon2.clone();
        self.aside(move || hash(&argon2, &password)).await?
    }

    /// Whether the password is the one that was hashed. Without a hash: no, in the same time.
    pub async fn verify(&self, password: String, known: Option<String>) -> anyhow::Result<Proof> {
        let argon2 = self.argon2.clone();
        let decoy = Arc::clone(&self.decoy);
        self.aside(move || {
            let text = known.as_deref().unwrap_or(&decoy);
            let is_same = is_password(&argon2, &password, text)?;
            let is_right = is_same && known.is_some();
            let is_weak = is_right && is_outdated(&argon2, text);
            let better_hash = is_weak.then(|| hash(&argon2, &password)).transpose()?;
            Ok(Proof { is_right, better_hash })
        })
        .await?
    }

    /// How often passwords were hashed or verified so far, decoys too.
    pub fn runs(&self) -> u64 {
        self.runs.load(Relaxed)
    }

    /// Works on a thread that gives way to those that answer requests. The slot goes with it, so that clients who ask
    /// and go away do not make more of them.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let slot = Arc::clone(&self.slots).acquire_owned().await?;
        self.runs.fetch_add(1, Relaxed);
        let (done, result) = oneshot::channel();
        thread::Builder::new().name("password".to_owned()).spawn(move || {
            // On Linux this is of the thread alone. Where it is not allowed, requests are slower while many log in.
            let _ = setpriority_process(None, NICE);
            let worked = work();
            drop(slot);
            // Whoever asked may be gone.
            let _ = done.send(worked);
        })?;
        result.await.context("a password was not looked at")
    }
}

/// A tenth of the share of a thread that answers requests, where both want a core.
const NICE: i32 = 10;

fn hash(argon2: &Argon2<'_>, password: &str) -> anyhow::Result<String> {
    let hash = argon2.hash_password(password.as_bytes()).map_err(|error| anyhow!("{error}"))?;
    Ok(hash.to_string())
}

fn is_password(argon2: &Argon2<'_>, password: &str, known: &str) -> anyhow::Result<bool> {
    if is_bcrypt(known) {
        return Ok(bcrypt::verify(password, known).unwrap_or(false));
    }
    let known = PasswordHash::new(known).map_err(|error| anyhow!("{error}"))?;
    Ok(argon2.verify_password(password.as_bytes(), &known).is_ok())
}

/// `$2a$`, `$2b$`, `$2y$`
fn is_bcrypt(known: &str) -> bool {
    known.starts_with("$2")
}

/// Made otherwise than hashes are made today.
fn is_outdated(argon2: &Argon2<'_>, known: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(known) else { return true };
    let today = argon2.params();
    Params::try_from(&parsed).map_or(true, |params| {
        params.m_cost() != today.m_cost() || params.t_cost() != today.t_cost()
    })
}

/// Refuses what is guessed soon: common and leaked passwords, patterns, and the words given with it.
pub async fn check_strength(field: &'static str, password: &str, words: &[&str]) -> Result<()> {
    // What stands behind this many characters makes no guess shorter, and costs time to look at.
    let password: String = password.chars().take(LOOKED_AT).collect();
    let words: Vec<String> = words.iter().flat_map(|text| pieces(text)).collect();
    let estimate = spawn_blocking(move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        zxcvbn(&password, &words)
    });
    let estimate = estimate.await.context("a password was not looked at")?;
    if estimate.score() >= Score::Three {
        return Ok(());
    }
    let warning = estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning);
    let why = warning.map_or_else(|| "is guessed too soon".to_owned(), |w| w.to_string());
    Err(Error::Field { field, code: "weak", message: why })
}

const LOOKED_AT: usize = 64;

/// Whole, in words, and with its words run together.
fn pieces(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
    let long = words.iter().filter(|word| word.len() > 2).map(|&word| word.to_owned());
    [text.to_owned(), words.concat()].into_iter().chain(long).collect()
}

/// A rule for names: text that shows as it is.
pub fn plain_text(text: &str, (): &()) -> garde::Result {
    if text.chars().any(char::is_control) || text.trim().is_empty() {
        return Err(garde::Error::new("has no visible characters, or control characters"));
    }
    Ok(())
}

/// A rule for longer texts, which may have lines.
pub fn text_block(text: &str, (): &()) -> garde::Result {
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(garde::Error::new("has control characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(memory_kib: u32) -> Passwords {
        let config = Auth { hash_memory_kib: memory_kib, hash_passes: 1, ..Auth::default() };
        Passwords::new(&config).unwrap()
    }

    #[tokio::test]
    async fn an_imported_bcrypt_hash_is_verified_and_replaced() {
        let known = bcrypt::hash("geheim", 4).unwrap();
        let passwords = passwords(8);

        let wrong = passwords.verify("other".to_owned(), Some(known.clone())).await.unwrap();
        let right = passwords.verify("geheim".to_owned(), Some(known)).await.unwrap();

        assert_eq!(wrong, Proof { is_right: false, better_hash: None });
        let better = right.better_hash.unwrap();
        assert!(right.is_right && better.starts_with("$argon2id$"), "{better}");
        let again = passwords.verify("geheim".to_owned(), Some(better)).await.unwrap();
        assert_eq!(again, Proof { is_right: true, better_hash: None });
    }

    #[tokio::test]
    async fn a_hash_of_other_costs_is_replaced() {
        let known = passwords(16).hash("geheim".to_owned()).await.unwrap();

        let proof = passwords(8).verify("geheim".to_owned(), Some(known)).await.unwrap();

        assert!(proof.is_right && proof.better_hash.is_some());
    }

    #[tokio::test]
    async fn weak_passwords_are_refused_and_strong_ones_are_not() {
        for weak in ["password1", "qwertyuiop", "aaaaaaaaaaaa", "12345678910", "adalovelace1"] {
            let words = ["ada.lovelace@example.com", "Ada Lovelace"];
            let refused = check_strength("password", weak, &words).await;
            assert!(matches!(refused, Err(Error::Field { code: "weak", .. })), "{weak}");
        }
        check_strength("password", "marble otter sings 7 tangos", &[]).await.unwrap();
    }
}
