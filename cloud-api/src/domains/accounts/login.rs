//! `/auth/login`: a password for an access token.

use super::model::{Email, Status, User};
use super::store;
use crate::app::App;
use crate::http::{ClientAddress, Error, Json, Problem, Refusal, Result, Valid};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use garde::Validate;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Who wants to log in.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Upper and lower case are the same.
    #[garde(length(chars, min = 3, max = 254))]
    #[schema(min_length = 3, max_length = 254, example = "ada@example.com")]
    pub email: String,
    /// As it was set.
    #[garde(length(chars, min = 1, max = 1024))]
    #[schema(min_length = 1, max_length = 1024, format = Password)]
    pub password: String,
}

/// A successful login.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoggedIn {
    /// To be sent as `Authorization: Bearer`.
    pub access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds that the token is good for.
    #[schema(example = 900)]
    pub expires_in: u32,
    /// Who logged in.
    pub user: User,
}

/// Log in with e-mail address and password.
///
/// The access token is good for 15 minutes and then the password is asked for again: refresh tokens do not
/// exist yet.
#[utoipa::path(post, path = "/auth/login", tag = "accounts", security(()), request_body = Login, responses(
    (status = 200, body = LoggedIn),
    (status = 401, body = Problem, content_type = "application/problem+json",
     description = "`invalid_credentials`, or with the right password `account_suspended`, `account_disabled`"),
    (status = 429, body = Problem, content_type = "application/problem+json",
     description = "`too_many_attempts`; `Retry-After` says when to try again")))]
pub async fn log_in(
    State(app): State<App>,
    from: ClientAddress,
    Valid(login): Valid<Login>,
) -> Result<Json<LoggedIn>> {
    let wrong = Error::Unauthorized("invalid_credentials");
    let Ok(email) = login.email.parse::<Email>() else { return Err(wrong) };
    let from = from.network();
    app.throttle.attempt(&email, from).map_err(too_many)?;
    let found = store::by_email(&mut *app.db.acquire().await?, &email).await?;
    let known = found.as_ref().and_then(|found| found.password_hash.clone());

    let is_right = app.passwords.verify(login.password, known).await?;

    let found = found.filter(|_| is_right).ok_or(wrong)?;
    app.throttle.succeeded(&email, from);
    match found.status {
        Status::Active => {}
        Status::Suspended => return Err(Error::Unauthorized("account_suspended")),
        Status::Disabled => return Err(Error::Unauthorized("account_disabled")),
    }
    let access_token = app.tokens.issue(&found.user, &app.keys.user_token, app.clock.now())?;
    tracing::info!(user_id = %found.user.id, "logged in");
    Ok(Json(LoggedIn {
        access_token,
        token_type: "Bearer",
        expires_in: app.tokens.lifetime_s(),
        user: found.user,
    }))
}

fn too_many(wait: Duration) -> Error {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts")
        .detail("too many failed logins; wait before the next")
        .header(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1))
        .into()
}
