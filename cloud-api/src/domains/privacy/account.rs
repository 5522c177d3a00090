//! `/users/account` (DELETE) and `/users/account/restore`: leaving, and thinking better of it.

use super::store::{self, AskedBy};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::accounts;
use crate::events::outbox;
use crate::http::{Caller, Error, Json, Origin, Problem, Result};
use crate::ids::UserId;
use crate::outside::mail::{self, Letter};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
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
    if caller.role.works() {
        return Err(Error::Conflict("staff_account"));
    }
    let mut tx = app.db.begin().await?;
    let leaving = begin(&app, &mut tx, &caller, &origin, caller.user).await?;
    tx.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(leaving)))
}

/// Marks an account to be erased when the time to think better of it is over, and writes to its owner. Who asks again
/// does not put it off.
pub async fn begin(
    app: &App,
    db: &mut PgConnection,
    caller: &Caller,
    origin: &Origin,
    user: UserId,
) -> Result<Leaving> {
    let now = app.clock.now();
    let at = now + Duration::days(app.config.privacy.deletion_grace_days.into());
    let by = if user == caller.user { AskedBy::Owner } else { AskedBy::Operator };
    let (email, erased_at) = store::set_erase_at(db, user, at, by).await?;
    let when = erased_at.format(&Rfc2822).unwrap_or_default();
    mail::queue(app, db, &email, Letter::DeletionAsked { when }).await?;
    let entry = Entry::asked("account.deletion_asked", caller, origin).on(user);
    audit::record(db, &entry, now).await?;
    outbox::add(db, "account.deletion_asked", Some(user), &json!({}), now).await?;
    Ok(Leaving { erased_at })
}

/// Takes it back, whoever asked.
pub async fn call_off(
    app: &App,
    db: &mut PgConnection,
    caller: &Caller,
    origin: &Origin,
    user: UserId,
) -> Result<()> {
    store::forget_erase_at(db, user).await?;
    let entry = Entry::asked("account.restored", caller, origin).on(user);
    Ok(audit::record(db, &entry, app.clock.now()).await?)
}

/// Keep the own account after all.
#[utoipa::path(post, path = "/users/account/restore", tag = "privacy",
    security(("bearer" = ["write:profile"])), responses(
    (status = 204),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`ended_by_operator`: only the operator takes that back")))]
pub async fn restore_account(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
) -> Result<StatusCode> {
    let mut tx = app.db.begin().await?;
    accounts::hold(&mut tx, caller.user).await?;
    if store::asked_by(&mut tx, caller.user).await? == Some(AskedBy::Operator) {
        return Err(Error::Conflict("ended_by_operator"));
    }
    call_off(&app, &mut tx, &caller, &origin, caller.user).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
