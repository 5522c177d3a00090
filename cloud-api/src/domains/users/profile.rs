//! `/users/profile`: the own profile.

use super::model::{NewProfile, Profile};
use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::branches;
use crate::http::{Caller, Error, IfNoneMatch, Json, Origin, Patch, Result};
use axum::extract::State;
use axum::response::Response;

/// Read the own profile.
#[utoipa::path(get, path = "/users/profile", tag = "users", security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = Profile),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_profile(
    State(app): State<App>,
    caller: Caller,
    known: IfNoneMatch,
) -> Result<Response> {
    let found = app.profiles.find(&app, &caller).await?;
    Ok(known.answer_tagged(found.ok_or(Error::NotFound)?))
}

/// Change the own profile; what is left out stays, null clears.
#[utoipa::path(put, path = "/users/profile", tag = "users",
    security(("bearer" = ["write:profile"])), request_body = NewProfile, responses(
    (status = 200, body = Profile)))]
pub async fn update_profile(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    patch: Patch<NewProfile>,
) -> Result<Json<Profile>> {
    change(&app, &caller, &origin, patch).await
}

/// Change the own profile; the same as PUT.
#[utoipa::path(patch, path = "/users/profile", tag = "users",
    security(("bearer" = ["write:profile"])), request_body = NewProfile, responses(
    (status = 200, body = Profile)))]
pub async fn patch_profile(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    patch: Patch<NewProfile>,
) -> Result<Json<Profile>> {
    change(&app, &caller, &origin, patch).await
}

async fn change(
    app: &App,
    caller: &Caller,
    origin: &Origin,
    patch: Patch<NewProfile>,
) -> Result<Json<Profile>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let before = store::profile(&mut tx, caller.user, now).await?.ok_or(Error::NotFound)?;
    let changed = patch.applied_to(&NewProfile::of(&before))?;
    changed.check(now.date())?;
    if let Some(zone) = &changed.time_zone
        && !branches::is_time_zone(&mut tx, zone).await?
    {
        let message = "is no time zone of the IANA database".to_owned();
        return Err(Error::Field { field: "time_zone", code: "unknown", message });
    }
    store::keep_profile(&mut tx, caller.user, &changed, now).await?;
    let after = store::profile(&mut tx, caller.user, now).await?.ok_or(Error::NotFound)?;
    let entry = Entry::asked("profile.changed", caller, origin).on(caller.user);
    audit::record(&mut tx, &entry.changed(&before, &after), now).await?;
    super::tell_devices(&mut tx, caller.user, now).await?;
    tx.commit().await?;
    app.forget(caller.user);
    Ok(Json(after))
}
