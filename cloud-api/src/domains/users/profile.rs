//! `/users/profile`: the own profile.

use super::model::Profile;
use super::store;
use crate::app::App;
use crate::http::{Caller, Error, IfNoneMatch, Result};
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
    let mut db = app.db.acquire().await?;
    let found = store::profile(&mut db, caller.user, app.clock.now()).await?;
    known.answer(&found.ok_or(Error::NotFound)?)
}
