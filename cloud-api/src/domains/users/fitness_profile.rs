//! `/users/fitness-profile`: how somebody trains and what stands in their way.

use super::health;
use super::settings::FitnessProfile;
use crate::app::App;
use crate::http::{Caller, IfNoneMatch, Json, Origin, Patch, Problem, Result};
use axum::extract::State;
use axum::response::Response;

/// Read the own fitness profile.
#[utoipa::path(get, path = "/users/fitness-profile", tag = "users",
    security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = FitnessProfile),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_fitness_profile(
    State(app): State<App>,
    caller: Caller,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    known.answer(&health::read::<FitnessProfile>(&app, &mut db, caller.user).await?)
}

/// Change the own fitness profile; what is left out stays, null clears.
#[utoipa::path(put, path = "/users/fitness-profile", tag = "users",
    security(("bearer" = ["write:profile"])), request_body = FitnessProfile, responses(
    (status = 200, body = FitnessProfile),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`consent_needed`: health conditions need the consent `health_data`")))]
pub async fn update_fitness_profile(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    patch: Patch<FitnessProfile>,
) -> Result<Json<FitnessProfile>> {
    Ok(Json(health::change(&app, &caller, &origin, patch).await?))
}
