//! `/users/preferences`: notices, privacy, and the app's own.

use super::settings::Preferences;
use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::accounts;
use crate::http::{Caller, IfNoneMatch, Json, Origin, Patch, Result};
use axum::extract::State;
use axum::response::Response;

/// Read the own preferences.
#[utoipa::path(get, path = "/users/preferences", tag = "users", security(("bearer" = ["read:profile"])),
    responses(
    (status = 200, body = Preferences),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_preferences(
    State(app): State<App>,
    caller: Caller,
    known: IfNoneMatch,
) -> Result<Response> {
    known.answer(&store::preferences(&mut *app.db.acquire().await?, caller.user).await?)
}

/// Change the own preferences; what is left out stays.
#[utoipa::path(put, path = "/users/preferences", tag = "users",
    security(("bearer" = ["write:profile"])), request_body = Preferences, responses(
    (status = 200, body = Preferences)))]
pub async fn update_preferences(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    patch: Patch<Preferences>,
) -> Result<Json<Preferences>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    accounts::hold(&mut tx, caller.user).await?;
    let before = store::preferences(&mut tx, caller.user).await?;
    let mut after = patch.applied_to(&before)?;
    after.app.retain(|_, value| !value.is_null());
    store::keep_preferences(&mut tx, caller.user, &after, now).await?;
    let entry = Entry::asked("preferences.changed", &caller, &origin).on(caller.user);
    audit::record(&mut tx, &entry.changed(&before, &after), now).await?;
    super::tell_devices(&mut tx, caller.user, now).await?;
    tx.commit().await?;
    Ok(Json(after))
}
