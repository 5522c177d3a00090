//! Tokens in links of letters: random, kept as digests, good once and for a while.

use super::mail_token_store as store;
use super::token::{digest, random};
use crate::app::App;
use crate::http::{Error, Result};
use crate::ids::UserId;
use sqlx::PgConnection;
use time::Duration;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    VerifyEmail,
    ResetPassword,
    ChangeEmail,
}

/// Whose token it was, and the address that it was sent to.
#[derive(Debug)]
pub struct Redeemed {
    pub user: UserId,
    pub email: String,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
        }
    }

    fn lifetime(self) -> Duration {
        match self {
            Self::VerifyEmail | Self::ChangeEmail => Duration::DAY,
            Self::ResetPassword => Duration::HOUR,
        }
    }

    /// The page of the app that takes the token.
    fn page(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify-email",
            Self::ResetPassword => "reset-password",
            Self::ChangeEmail => "confirm-email",
        }
    }
}

/// A link with a new token; former ones of the same purpose are good no longer.
pub async fn link(
    app: &App,
    db: &mut PgConnection,
    user: UserId,
    purpose: Purpose,
    email: &str,
) -> anyhow::Result<String> {
    let token = random()?;
    let expires_at = app.clock.now() + purpose.lifetime();
    store::replace(db, &digest(&token), user, purpose.name(), email, expires_at).await?;
    let base = app.config.mail.link_base.trim_end_matches('/');
    Ok(format!("{base}/{}?token={token}", purpose.page()))
}

/// Takes a token; it is good no longer.
pub async fn redeem(
    app: &App,
    db: &mut PgConnection,
    token: &str,
    purposes: &[Purpose],
) -> Result<(Redeemed, Purpose)> {
    let now = app.clock.now();
    for purpose in purposes {
        if let Some(found) = store::take(db, &digest(token), purpose.name(), now).await? {
            return Ok((found, *purpose));
        }
    }
    Err(Error::Field {
        field: "token",
        code: "invalid_token",
        message: "is wrong, used or over; ask for another letter".to_owned(),
    })
}
