//! `/auth/exchange`: an app takes over a sign-in that a browser made at a provider's page.

use super::session::{self, Device, Entrant, LoggedIn};
use super::token::digest;
use super::{admit, identity_store, store};
use crate::app::App;
use crate::domains::watch;
use crate::http::{Error, Json, Origin, Problem, Result, Valid};
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use garde::Validate;
use serde::Deserialize;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

/// A code, and what shows that it was meant for this app.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct ExchangeCode {
    /// As it came with the browser; good once and for a minute.
    #[garde(length(bytes, min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100)]
    pub code: String,
    /// What the `challenge` was made of (RFC 7636).
    #[garde(length(bytes, min = 43, max = 128))]
    #[schema(
        min_length = 43,
        max_length = 128,
        example = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )]
    pub verifier: String,
    /// What is used to sign in.
    #[garde(dive)]
    pub device: Option<Device>,
}

/// Exchange the code of a sign-in at Google's or Apple's page for tokens.
#[utoipa::path(post, path = "/auth/exchange", tag = "accounts", security(()), request_body = ExchangeCode, responses(
    (status = 200, body = LoggedIn),
    (status = 401, body = Problem, content_type = "application/problem+json", description = "`invalid_code`"),
    (status = 403, body = Problem, content_type = "application/problem+json",
     description = "`account_suspended`, `account_disabled`, `email_not_verified`")))]
pub async fn exchange_code(
    State(app): State<App>,
    origin: Origin,
    Valid(exchange): Valid<ExchangeCode>,
) -> Result<Json<LoggedIn>> {
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    // Taken, whatever follows: nobody tries twice.
    let taken = identity_store::take_code(&mut db, &digest(&exchange.code), now).await?;
    let (user, challenge) = taken.ok_or(Error::Unauthorized("invalid_code"))?;
    let shown = URL_SAFE_NO_PAD.encode(digest(&exchange.verifier));
    if !bool::from(shown.as_bytes().ct_eq(challenge.as_bytes())) {
        return Err(Error::Unauthorized("invalid_code"));
    }
    drop(db);
    let mut tx = app.db.begin().await?;
    let found = store::by_id(&mut tx, user, now).await?.ok_or(Error::NotFound)?;
    admit(&app, found.status)?;
    let device = exchange.device.as_ref();
    let logged_in = session::open(&app, &mut tx, Entrant::from(found), device, &origin).await?;
    tx.commit().await?;
    app.forget(logged_in.user.id);
    watch::after_login(&app, logged_in.user.id).await?;
    Ok(Json(logged_in))
}
