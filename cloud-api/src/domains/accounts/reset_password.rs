//! `/auth/reset-password`: a new password for the token of a letter. Ends all logins.

use super::mail_token::{self, Purpose};
use super::{login_store, password, store};
use crate::app::App;
use crate::audit;
use crate::http::{Error, Origin, Problem, Result, Valid};
use crate::outside::mail::{self, Letter};
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

/// The token of the letter, and what the password shall be.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    /// As it stands in the link.
    #[garde(length(bytes, min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100)]
    pub token: String,
    /// Not one that can be guessed.
    #[garde(length(chars, min = 8, max = 128))]
    #[schema(min_length = 8, max_length = 128, format = Password, example = "marble otter sings 7 tangos")]
    pub password: String,
}

/// Choose a new password with the token of a letter. All devices are logged out.
#[utoipa::path(post, path = "/auth/reset-password", tag = "accounts", security(()), request_body = ResetPassword,
    responses(
    (status = 204),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "in `errors`: `invalid_token`, or a `weak` password; then the token stays good")))]
pub async fn reset_password(
    State(app): State<App>,
    origin: Origin,
    Valid(reset): Valid<ResetPassword>,
) -> Result<StatusCode> {
    password::check_strength("password", &reset.password, &[]).await?;
    let hash = app.passwords.hash(reset.password).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let purposes = [Purpose::ResetPassword];
    let (found, _) = mail_token::redeem(&app, &mut tx, &reset.token, &purposes).await?;
    let user = store::by_id(&mut tx, found.user, now).await?.ok_or(Error::NotFound)?.user;
    store::set_hash(&mut tx, user.id, &hash).await?;
    // The letter arrived, so the address is theirs.
    store::verify_email(&mut tx, user.id, &found.email, now).await?;
    store::unlock(&mut tx, user.id).await?;
    login_store::end_all(&mut tx, user.id, None, "password_reset", now).await?;
    let entry = audit::Entry::new("account.password_reset").by(user.id).on(user.id);
    audit::record(&mut tx, &entry.of(user.organization_id).from(&origin), now).await?;
    mail::queue(&app, &mut tx, &user.email, Letter::PasswordChanged).await?;
    tx.commit().await?;
    app.forget(user.id);
    Ok(StatusCode::NO_CONTENT)
}
