//! `/users/account` (DELETE) and `/users/account/restore`: leaving, and thinking better of it.

use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::accounts::Role;
use crate::events::outbox;
use crate::http::{Caller, Error, Json, Origin, Problem, Result};
use crate::outside::mail::{self, Letter};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::json;
use time::format_description::well_known::Rfc2822;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

/// When an account is erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct Leaving {
    #[serde(with = "time::serde::rfc3339")]
    pub erased_at: OffsetDateTime,
}

/// Delete the own account with all that belongs to it: data, files, logins, and what doors know. Until it is erased, it
/// can be restored.
#[utoipa::path(delete, path = "/users/account", tag = "privacy", security(("bearer" = ["write:profile"])),
    responses(
    (status = 202, body = Leaving),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`staff_account`: the operator ends accounts of those who work there")))]
pub async fn delete_account(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
) -> Result<(StatusCode, Json<Leaving>)> {
    if matches!(caller.role, Role::Admin | Role::Staff) {
        return Err(Error::Conflict("staff_account"));
    }
    let now = app.clock.now();
    let erased_at = now + Duration::days(app.config.privacy.deletion_grace_days.into());
    let mut tx = app.db.begin().await?;
    let email = store::set_erase_at(&mut tx, caller.user, Some(erased_at)).await?;
    let when = erased_at.format(&Rfc2822).unwrap_or_default();
    mail::queue(&app, &mut tx, &email, Letter::DeletionAsked { when }).await?;
    let entry = Entry::asked("account.deletion_asked", &caller, &origin).on(caller.user);
    audit::record(&mut tx, &entry, now).await?;
    outbox::add(&mut tx, "account.deletion_asked", Some(caller.user), &json!({}), now).await?;
    tx.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(Leaving { erased_at })))
}

/// Keep the own account after all.
#[utoipa::path(post, path = "/users/account/restore", tag = "privacy",
    security(("bearer" = ["write:profile"])), responses((status = 204)))]
pub async fn restore_account(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    store::set_erase_at(&mut tx, caller.user, None).await?;
    let entry = Entry::asked("account.restored", &caller, &origin).on(caller.user);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
