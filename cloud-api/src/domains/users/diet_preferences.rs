//! `/users/diet-preferences`: what somebody eats and must not eat.

use super::health;
use super::settings::DietPreferences;
use crate::app::App;
use crate::http::{Caller, IfNoneMatch, Json, Origin, Patch, Problem, Result};
use axum::extract::State;
use axum::response::Response;

/// Read the own diet preferences.
#[utoipa::path(get, path = "/users/diet-preferences", tag = "users",
    security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = DietPreferences),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_diet_preferences(
    State(app): State<App>,
    caller: Caller,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    known.answer(&health::read::<DietPreferences>(&app, &mut db, caller.user).await?)
}

/// Change the own diet preferences; what is left out stays, null clears.
#[utoipa::path(put, path = "/users/diet-preferences", tag = "users",
    security(("bearer" = ["write:profile"])), request_body = DietPreferences, responses(
    (status = 200, body = DietPreferences),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`consent_needed`: allergies need the consent `health_data`")))]
pub async fn update_diet_preferences(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    patch: Patch<DietPreferences>,
) -> Result<Json<DietPreferences>> {
    Ok(Json(health::change(&app, &caller, &origin, patch).await?))
}
