//! `/auth/login`: a password for tokens. What fails takes the same time, whether or not there is an account.

use super::factor::{self, Verdict};
use super::model::Email;
use super::session::{self, Device, Entrant, LoggedIn};
use super::store::{self, LoginUser};
use super::{admit, throttle};
use crate::app::App;
use crate::audit;
use crate::domains::watch;
use crate::http::{Error, Json, Origin, Problem, Result, Valid};
use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use utoipa::ToSchema;

/// Who wants to log in.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// Upper and lower case are the same.
    #[garde(length(chars, min = 3, max = 254))]
    #[schema(min_length = 3, max_length = 254, example = "ada@example.com")]
    pub email: String,
    /// As it was set.
    #[garde(length(chars, min = 1, max = 1024))]
    #[schema(min_length = 1, max_length = 1024, format = Password)]
    pub password: String,
    /// What is used to log in.
    #[garde(dive)]
    pub device: Option<Device>,
    /// Of the second factor, where it is on: six digits of the app, or a recovery code.
    #[garde(length(chars, min = 6, max = 40))]
    #[schema(min_length = 6, max_length = 40, example = "123456")]
    pub code: Option<String>,
}

/// Log in with e-mail address and password.
#[utoipa::path(post, path = "/auth/login", tag = "accounts", security(()), request_body = Credentials, responses(
    (status = 200, body = LoggedIn),
    (status = 401, body = Problem, content_type = "application/problem+json",
     description = "`invalid_credentials`; with the right password `second_factor_required`, `invalid_code`"),
    (status = 403, body = Problem, content_type = "application/problem+json",
     description = "with the right password: `account_locked`, `account_suspended`, `account_disabled`, `email_not_verified`"),
    (status = 429, body = Problem, content_type = "application/problem+json",
     description = "`too_many_attempts`; `Retry-After` says when to try again")))]
pub async fn log_in(
    State(app): State<App>,
    origin: Origin,
    Valid(login): Valid<Credentials>,
) -> Result<Json<LoggedIn>> {
    let found = admitted(&app, &login, &origin).await?;
    let mut tx = app.db.begin().await?;
    let who = Entrant::from(found);
    let logged_in = session::open(&app, &mut tx, who, login.device.as_ref(), &origin).await?;
    tx.commit().await?;
    app.forget(logged_in.user.id);
    watch::after_login(&app, logged_in.user.id).await?;
    Ok(Json(logged_in))
}

/// The user whose password it is, if they may use their account. What fails takes its time.
pub async fn admitted(app: &App, login: &Credentials, origin: &Origin) -> Result<LoginUser> {
    let not_before = Instant::now() + Duration::from_millis(app.config.auth.failed_login_ms);
    let found = prove(app, login, origin).await;
    if let Err(Error::Unauthorized(_)) = &found {
        sleep_until(not_before).await;
    }
    let found = found?;
    admit(app, found.status)?;
    Ok(found)
}

/// The user whose password it is. An old hash is replaced.
async fn prove(app: &App, login: &Credentials, origin: &Origin) -> Result<LoginUser> {
    let now = app.clock.now();
    let wrong = || Error::Unauthorized("invalid_credentials");
    let email = login.email.parse::<Email>().map_err(|_| wrong())?;
    let from = origin.address.network();
    throttle::attempt(app, &email, from).await?;
    let found = store::by_email(&mut *app.db.acquire().await?, &email, now).await?;
    let known = found.as_ref().and_then(|found| found.password_hash.clone());

    let proof = app.passwords.verify(login.password.clone(), known.clone()).await?;

    let mut db = app.db.acquire().await?;
    let Some(found) = found.filter(|_| proof.is_right) else {
        let entry = audit::Entry::new("login.failed").from(origin);
        audit::record(&mut db, &entry, now).await?;
        return Err(wrong());
    };
    let verdict = factor::check(app, &mut db, found.user.id, login.code.as_deref()).await?;
    if verdict == Verdict::Wrong {
        let entry = audit::Entry::new("login.failed").on(found.user.id).from(origin);
        audit::record(&mut db, &entry, now).await?;
        return Err(Error::Unauthorized("invalid_code"));
    }
    app.throttle.succeeded(&email, from).await;
    if verdict == Verdict::Missing {
        return Err(Error::Unauthorized("second_factor_required"));
    }
    if let (Some(new), Some(old)) = (proof.better_hash, known) {
        store::replace_hash(&mut db, found.user.id, &old, &new).await?;
    }
    Ok(found)
}
