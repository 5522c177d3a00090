//! `/auth/verify-email`: the link of a letter was opened.

use super::mail_token::{self, Purpose};
use super::store;
use crate::app::App;
use crate::audit;
use crate::http::{Error, OnConstraint, Origin, Problem, Query, Result};
use crate::outside::mail::{self, Letter};
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

/// The token of the letter.
#[derive(Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct VerifyEmail {
    /// As it stands in the link.
    #[garde(length(bytes, min = 1, max = 100))]
    #[param(min_length = 1, max_length = 100)]
    pub token: String,
}

/// Confirm an e-mail address, at the first time or for a change of address.
#[utoipa::path(get, path = "/auth/verify-email", tag = "accounts", security(()), params(VerifyEmail), responses(
    (status = 204),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`email_taken`: meanwhile somebody else uses the new address"),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "`invalid_token` in `errors`: it is wrong, used or over")))]
pub async fn verify_email(
    State(app): State<App>,
    origin: Origin,
    Query(query): Query<VerifyEmail>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let purposes = [Purpose::VerifyEmail, Purpose::ChangeEmail];
    let (found, purpose) = mail_token::redeem(&app, &mut tx, &query.token, &purposes).await?;
    let user = store::by_id(&mut tx, found.user, now).await?.ok_or(Error::NotFound)?.user;
    let action = if purpose == Purpose::ChangeEmail {
        store::change_email(&mut tx, user.id, &found.email, now)
            .await
            .on_constraint("users_email_key", || Error::Conflict("email_taken"))?;
        mail::queue(&app, &mut tx, &user.email, Letter::EmailChanged).await?;
        "account.email_changed"
    } else {
        store::verify_email(&mut tx, user.id, &found.email, now).await?;
        "account.email_verified"
    };
    let entry = audit::Entry::new(action).by(user.id).of(user.organization_id).on(user.id);
    let entry = entry.from(&origin).changed(&user.email, &found.email);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    app.forget(user.id);
    Ok(StatusCode::NO_CONTENT)
}
