//! `/auth/second-factor`: switching the second factor on, in two steps, and off.

use super::{change_password, factor, factor_store};
use crate::app::App;
use crate::audit;
use crate::http::{Caller, Error, Json, Origin, Problem, Result, Valid};
use crate::outside::mail::{self, Letter};
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

/// The password, so that a stolen token changes nothing.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct BeginSecondFactor {
    /// As it is now.
    #[garde(length(chars, min = 1, max = 1024))]
    #[schema(min_length = 1, max_length = 1024, format = Password)]
    pub password: String,
}

/// What the app has to know. It is shown once.
#[derive(Serialize, ToSchema)]
pub struct SecondFactorSecret {
    /// Base 32.
    #[schema(example = "OBWGC2LOFVZXI4TJNZTS243FMNZGK5BN")]
    pub secret: String,
    /// The same as a QR code holds it.
    #[schema(example = "otpauth://totp/Gymwire:ada%40example.com?secret=OBWGC2LO&issuer=Gymwire")]
    pub uri: String,
}

/// Begin to switch the second factor on. It is asked for once it was confirmed.
#[utoipa::path(post, path = "/auth/second-factor", tag = "accounts", security(("bearer" = ["write:profile"])),
    request_body = BeginSecondFactor, responses(
    (status = 200, body = SecondFactorSecret),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`second_factor_is_on`"),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "in `errors`: `password` is `wrong`")))]
pub async fn begin_second_factor(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Valid(begin): Valid<BeginSecondFactor>,
) -> Result<Json<SecondFactorSecret>> {
    let email = change_password::prove(&app, &caller, &origin, "password", begin.password).await?;
    let (sealed, secret) = factor::generate(&app)?;
    let mut db = app.db.acquire().await?;
    if !factor_store::begin(&mut db, caller.user, &sealed, app.clock.now()).await? {
        return Err(Error::Conflict("second_factor_is_on"));
    }
    let label = email.as_str().replace('%', "%25").replace('@', "%40");
    let uri = format!("otpauth://totp/Gymwire:{label}?secret={secret}&issuer=Gymwire");
    Ok(Json(SecondFactorSecret { secret, uri }))
}

/// A code of the app.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct ConfirmSecondFactor {
    /// Six digits.
    #[garde(length(chars, min = 6, max = 40))]
    #[schema(min_length = 6, max_length = 40, example = "123456")]
    pub code: String,
}

/// Codes for when the app is lost; each is good once. They are shown once.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodes {
    #[schema(example = json!(["OBWG-C2LO-FVZX-I4TJ"]))]
    pub recovery_codes: Vec<String>,
}

/// Show that the app has the secret: from now on, logging in needs a code.
#[utoipa::path(post, path = "/auth/second-factor/confirm", tag = "accounts",
    security(("bearer" = ["write:profile"])), request_body = ConfirmSecondFactor, responses(
    (status = 200, body = RecoveryCodes),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`second_factor_is_on`, `second_factor_not_begun`"),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "in `errors`: `code` is `wrong`")))]
pub async fn confirm_second_factor(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Valid(confirm): Valid<ConfirmSecondFactor>,
) -> Result<Json<RecoveryCodes>> {
    change_password::slow_down(&app, &caller, &origin).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let found = factor_store::find(&mut tx, caller.user).await?;
    let found = found.ok_or(Error::Conflict("second_factor_not_begun"))?;
    if found.confirmed_at.is_some() {
        return Err(Error::Conflict("second_factor_is_on"));
    }
    if !factor::use_code(&app, &mut tx, caller.user, &found.secret, &confirm.code).await? {
        return Err(wrong_code());
    }
    let (recovery_codes, digests) = factor::recovery_codes()?;
    factor_store::confirm(&mut tx, caller.user, &digests, now).await?;
    tell(&app, &mut tx, &caller, &origin, true).await?;
    tx.commit().await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}

/// The password and a code.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct DisableSecondFactor {
    /// As it is now.
    #[garde(length(chars, min = 1, max = 1024))]
    #[schema(min_length = 1, max_length = 1024, format = Password)]
    pub password: String,
    /// Of the app, or a recovery code.
    #[garde(length(chars, min = 6, max = 40))]
    #[schema(min_length = 6, max_length = 40, example = "123456")]
    pub code: String,
}

/// Switch the second factor off.
#[utoipa::path(post, path = "/auth/second-factor/disable", tag = "accounts",
    security(("bearer" = ["write:profile"])), request_body = DisableSecondFactor, responses(
    (status = 204),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "in `errors`: `password` or `code` is `wrong`")))]
pub async fn disable_second_factor(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Valid(disable): Valid<DisableSecondFactor>,
) -> Result<StatusCode> {
    change_password::prove(&app, &caller, &origin, "password", disable.password).await?;
    change_password::slow_down(&app, &caller, &origin).await?;
    let mut tx = app.db.begin().await?;
    let verdict = factor::check(&app, &mut tx, caller.user, Some(&disable.code)).await?;
    if verdict != factor::Verdict::Passed {
        return Err(wrong_code());
    }
    if factor_store::remove(&mut tx, caller.user).await? {
        tell(&app, &mut tx, &caller, &origin, false).await?;
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn wrong_code() -> Error {
    Error::Field { field: "code", code: "wrong", message: "is not right, or was used".to_owned() }
}

async fn tell(
    app: &App,
    db: &mut PgConnection,
    caller: &Caller,
    origin: &Origin,
    is_on: bool,
) -> Result<()> {
    let now = app.clock.now();
    let action = if is_on { "account.second_factor_on" } else { "account.second_factor_off" };
    let entry = audit::Entry::new(action).by(caller.user).of(caller.organization).on(caller.user);
    audit::record(db, &entry.from(origin), now).await?;
    if let Some(found) = super::store::by_id(db, caller.user, now).await? {
        mail::queue(app, db, &found.user.email, Letter::SecondFactorChanged { is_on }).await?;
    }
    Ok(())
}
