//! `/auth/forgot-password` and `/auth/resend-verification`: ask for a letter. The answer, and the time it takes, are
//! the same for every address: whether there is an account is looked up by a job.

use super::mail_token::{self, Purpose};
use super::model::{Email, Status};
use super::sealed_email::SealedEmail;
use super::store;
use crate::app::App;
use crate::counters::Count;
use crate::http::{Problem, Result, Valid, parse, rate};
use crate::jobs::{self, Job};
use crate::outside::mail::{self, Letter};
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Whom to write to.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Of the account.
    #[garde(length(chars, min = 3, max = 254))]
    #[schema(min_length = 3, max_length = 254, example = "ada@example.com")]
    pub email: String,
}

/// Ask for a letter with a link to choose a new password.
#[utoipa::path(post, path = "/auth/forgot-password", tag = "accounts", security(()), request_body = Address,
    responses(
    (status = 202, description = "a letter is on its way, if there is such an account"),
    (status = 429, body = Problem, content_type = "application/problem+json",
     description = "`too_many_letters`: three an hour to one address")))]
pub async fn forgot_password(
    State(app): State<App>,
    Valid(address): Valid<Address>,
) -> Result<StatusCode> {
    ask(&app, &address, Wanted::ResetPassword).await
}

/// Ask for the letter that confirms the address once more.
#[utoipa::path(post, path = "/auth/resend-verification", tag = "accounts", security(()), request_body = Address,
    responses(
    (status = 202, description = "a letter is on its way, if there is such an account and it needs one"),
    (status = 429, body = Problem, content_type = "application/problem+json",
     description = "`too_many_letters`: three an hour to one address")))]
pub async fn resend_verification(
    State(app): State<App>,
    Valid(address): Valid<Address>,
) -> Result<StatusCode> {
    ask(&app, &address, Wanted::VerifyEmail).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    ResetPassword,
    VerifyEmail,
}

async fn ask(app: &App, address: &Address, wanted: Wanted) -> Result<StatusCode> {
    let email: Email = parse("email", &address.email)?;
    let now_ms = app.clock.now_ms();
    let count = app.counters.hit(&format!("letter:{wanted:?}:{email}"), HOUR, now_ms).await;
    refuse_beyond(count, now_ms)?;
    let sealed = SealedEmail::seal(&app.secrets, &email)?;
    let mut db = app.db.acquire().await?;
    jobs::enqueue(&mut db, &WriteTo { sealed, wanted }, app.clock.now()).await?;
    Ok(StatusCode::ACCEPTED)
}

fn refuse_beyond(count: Count, now_ms: i64) -> Result<()> {
    if count.hits <= LETTERS_PER_HOUR {
        return Ok(());
    }
    let wait_s = count.left(now_ms).as_secs() + 1;
    Err(rate::too_many("too_many_letters", "too many letters to one address", wait_s))
}

const LETTERS_PER_HOUR: u32 = 3;
const HOUR: Duration = Duration::from_hours(1);

/// Writes the letter, if there is an account that it concerns.
#[derive(Debug, Serialize, Deserialize)]
pub struct WriteTo {
    sealed: SealedEmail,
    wanted: Wanted,
}

impl Job for WriteTo {
    const KIND: &'static str = "accounts.write_to";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let email = self.sealed.open(&app.secrets)?;
        let mut tx = app.db.begin().await?;
        let Some(found) = store::by_email(&mut tx, &email, app.clock.now()).await? else {
            return Ok(());
        };
        let (id, to) = (found.user.id, found.user.email.as_str());
        let letter = match (self.wanted, found.status) {
            (Wanted::ResetPassword, Status::Pending | Status::Active | Status::Locked) => {
                let link = mail_token::link(app, &mut tx, id, Purpose::ResetPassword, to).await?;
                Letter::ResetPassword { link }
            }
            (Wanted::VerifyEmail, Status::Pending) => {
                let link = mail_token::link(app, &mut tx, id, Purpose::VerifyEmail, to).await?;
                Letter::VerifyEmail { name: found.user.name.clone(), link }
            }
            _ => return Ok(()),
        };
        mail::queue(app, &mut tx, to, letter).await?;
        Ok(tx.commit().await?)
    }
}
