//! The second factor: codes of an app by time (TOTP, RFC 6238: SHA-1, six digits, 30 s), each good once, and ten
//! recovery codes for when the app is lost.

use super::factor_store as store;
use super::token::digest;
use crate::app::App;
use crate::ids::UserId;
use anyhow::{Context, anyhow};
use sqlx::PgConnection;
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

/// What became of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is right, or none is asked for.
    Passed,
    Missing,
    Wrong,
}

/// A new secret: sealed, and in base 32 for the app.
pub fn generate(app: &App) -> anyhow::Result<(Vec<u8>, String)> {
    let mut secret = Zeroizing::new([0; 20]);
    getrandom::fill(&mut *secret).context("no random numbers")?;
    let sealed = app.secrets.seal(SEALED_AS, &*secret)?;
    Ok((sealed, Secret::from(*secret).to_base32()))
}

const SEALED_AS: &str = "second_factor";

/// Whether somebody with this code gets in. A code that is right is used up.
pub async fn check(
    app: &App,
    db: &mut PgConnection,
    user: UserId,
    code: Option<&str>,
) -> anyhow::Result<Verdict> {
    let found = store::find(&mut *db, user).await?;
    let Some(factor) = found.filter(|factor| factor.confirmed_at.is_some()) else {
        return Ok(Verdict::Passed);
    };
    let Some(code) = code else { return Ok(Verdict::Missing) };
    let is_right = use_code(app, &mut *db, user, &factor.secret, code).await?
        || store::use_recovery(db, user, &digest(&plain(code))).await?;
    Ok(if is_right { Verdict::Passed } else { Verdict::Wrong })
}

/// Uses a code of the app up, if it is right.
pub async fn use_code(
    app: &App,
    db: &mut PgConnection,
    user: UserId,
    sealed: &[u8],
    code: &str,
) -> anyhow::Result<bool> {
    let secret = app.secrets.open(SEALED_AS, sealed)?;
    let now = u64::try_from(app.clock.now().unix_timestamp()).unwrap_or(0);
    match totp(&secret)?.check(&plain(code), now) {
        Some(step) => Ok(store::use_step(db, user, i64::try_from(step)?).await?),
        None => Ok(false),
    }
}

/// A step more or less, for clocks that differ.
fn totp(secret: &[u8]) -> anyhow::Result<Totp> {
    let builder = Builder::new().with_secret(secret).with_skew(1);
    builder.build().map_err(|error| anyhow!("a second factor: {error}"))
}

/// As people type it: blanks, dashes and small letters do not matter.
fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// New recovery codes: as they are shown, and their digests.
pub fn recovery_codes() -> anyhow::Result<(Vec<String>, Vec<Vec<u8>>)> {
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let mut random = Zeroizing::new([0; 10]);
        getrandom::fill(&mut *random).context("no random numbers")?;
        let text = Secret::from(random.to_vec()).to_base32();
        let groups: Vec<_> = text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
        codes.push(groups.join("-"));
    }
    let digests = codes.iter().map(|code| digest(&plain(code)).to_vec()).collect();
    Ok((codes, digests))
}

const RECOVERY_CODES: usize = 10;
