//! `/auth/change-password` and `/auth/change-email`: by whoever knows the present password.

use super::mail_token::{self, Purpose};
use super::model::Email;
use super::{login_store, password, store, throttle};
use crate::app::App;
use crate::audit;
use crate::http::{Caller, Error, Origin, Problem, Result, Valid, parse};
use crate::outside::mail::{self, Letter};
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;

/// The present password and the new one.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// As it is now.
    #[garde(length(chars, min = 1, max = 1024))]
    #[schema(min_length = 1, max_length = 1024, format = Password)]
    pub current_password: String,
    /// Not one that can be guessed.
    #[garde(length(chars, min = 8, max = 128))]
    #[schema(min_length = 8, max_length = 128, format = Password, example = "marble otter sings 7 tangos")]
    pub new_password: String,
}

/// Change the own password. All other devices are logged out.
#[utoipa::path(post, path = "/auth/change-password", tag = "accounts", security(("bearer" = ["write:profile"])),
    request_body = ChangePassword, responses(
    (status = 204),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "in `errors`: `current_password` is `wrong`, or `new_password` is `weak`"),
    (status = 429, body = Problem, content_type = "application/problem+json",
     description = "`too_many_attempts`; `Retry-After` says when to try again")))]
pub async fn change_password(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Valid(change): Valid<ChangePassword>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let email = prove(&app, &caller, &origin, "current_password", change.current_password).await?;
    password::check_strength("new_password", &change.new_password, &[email.as_str()]).await?;
    let hash = app.passwords.hash(change.new_password).await?;
    let mut tx = app.db.begin().await?;
    store::set_hash(&mut tx, caller.user, &hash).await?;
    let but = Some(caller.login);
    login_store::end_all(&mut tx, caller.user, but, "password_changed", now).await?;
    let entry = audit::Entry::new("account.password_changed").by(caller.user).on(caller.user);
    audit::record(&mut tx, &entry.of(caller.organization).from(&origin), now).await?;
    mail::queue(&app, &mut tx, email.as_str(), Letter::PasswordChanged).await?;
    tx.commit().await?;
    app.forget(caller.user);
    Ok(StatusCode::NO_CONTENT)
}

/// The password and the new address.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct ChangeEmail {
    /// As it is now.
    #[garde(length(chars, min = 1, max = 1024))]
    #[schema(min_length = 1, max_length = 1024, format = Password)]
    pub password: String,
    /// Used once the letter to it was answered.
    #[garde(length(chars, min = 3, max = 254))]
    #[schema(min_length = 3, max_length = 254, example = "ada@example.org")]
    pub new_email: String,
}

/// Ask for another e-mail address. A letter to it asks to confirm; until then the old one stays.
#[utoipa::path(post, path = "/auth/change-email", tag = "accounts", security(("bearer" = ["write:profile"])),
    request_body = ChangeEmail, responses(
    (status = 202, description = "a letter is on its way to the new address"),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "in `errors`: `password` is `wrong`"),
    (status = 429, body = Problem, content_type = "application/problem+json",
     description = "`too_many_attempts`; `Retry-After` says when to try again")))]
pub async fn change_email(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Valid(change): Valid<ChangeEmail>,
) -> Result<StatusCode> {
    let new: Email = parse("new_email", &change.new_email)?;
    prove(&app, &caller, &origin, "password", change.password).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let purpose = Purpose::ChangeEmail;
    let link = mail_token::link(&app, &mut tx, caller.user, purpose, new.as_str()).await?;
    let letter = Letter::ConfirmNewEmail { link };
    mail::queue(&app, &mut tx, new.as_str(), letter).await?;
    let entry = audit::Entry::new("account.email_change_asked").by(caller.user).on(caller.user);
    audit::record(&mut tx, &entry.of(caller.organization).from(&origin), now).await?;
    tx.commit().await?;
    Ok(StatusCode::ACCEPTED)
}

/// Bounds how often codes are guessed with a token.
pub async fn slow_down(app: &App, caller: &Caller, origin: &Origin) -> Result<()> {
    let window = Duration::from_secs(app.config.auth.failure_window_s);
    let (key, now_ms) = (format!("code:{}", caller.user), app.clock.now_ms());
    let count = app.counters.hit(&key, window, now_ms).await;
    if count.hits <= app.config.auth.max_failures {
        return Ok(());
    }
    tracing::warn!(user_id = %caller.user, client = %origin.address.0, "codes are guessed");
    Err(throttle::too_many(count.left(now_ms)))
}

/// The caller's address, if the password is theirs. Guesses count as failed logins.
pub async fn prove(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    field: &'static str,
    password: String,
) -> Result<Email> {
    let mut db = app.db.acquire().await?;
    let found = store::by_id(&mut db, caller.user, app.clock.now()).await?;
    drop(db);
    let found = found.ok_or(Error::NotFound)?;
    let email: Email = found.user.email.parse().map_err(anyhow::Error::from)?;
    let from = origin.address.network();
    throttle::attempt(app, &email, from).await?;
    if app.passwords.verify(password, found.password_hash).await?.is_right {
        app.throttle.succeeded(&email, from).await;
        return Ok(email);
    }
    Err(Error::Field { field, code: "wrong", message: "is not the password".to_owned() })
}
