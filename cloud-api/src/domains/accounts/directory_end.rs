//! `/admin/users/{id}` (DELETE) and `/admin/users/{id}/restore`: ending somebody's account, and thinking better of it.

use super::directory_store as store;
use super::model::Role;
use crate::app::App;
use crate::domains::privacy::{self, Leaving};
use crate::http::{Caller, Error, Json, Origin, Path, Problem, Result};
use crate::ids::UserId;
use axum::extract::State;
use axum::http::StatusCode;

/// Delete an account with all that belongs to it, as its owner would: it is erased when the time to think better of it
/// is over. Its owner is told by a letter and cannot take it back. To bar somebody at once, change the status.
#[utoipa::path(delete, path = "/admin/users/{id}", tag = "admin",
    params(("id" = UserId, Path, description = "Id of the user")),
    security(("bearer" = ["write:users"])), responses(
    (status = 202, body = Leaving),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`last_admin`: nobody would be left to run the organization")))]
pub async fn end_user_account(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<UserId>,
) -> Result<(StatusCode, Json<Leaving>)> {
    let mut tx = app.db.begin().await?;
    let organization = caller.organization;
    let account = store::one(&mut tx, organization, id).await?.ok_or(Error::NotFound)?;
    if account.role == Role::Admin && !store::has_other_admin(&mut tx, organization, id).await? {
        return Err(Error::Conflict("last_admin"));
    }
    let leaving = privacy::begin_leaving(&app, &mut tx, &caller, &origin, id).await?;
    tx.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(leaving)))
}

/// Keep an account after all that was to be erased, whoever asked for it.
#[utoipa::path(post, path = "/admin/users/{id}/restore", tag = "admin",
    params(("id" = UserId, Path, description = "Id of the user")),
    security(("bearer" = ["write:users"])), responses((status = 204)))]
pub async fn restore_user_account(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<UserId>,
) -> Result<StatusCode> {
    let mut tx = app.db.begin().await?;
    store::one(&mut tx, caller.organization, id).await?.ok_or(Error::NotFound)?;
    privacy::call_off_leaving(&app, &mut tx, &caller, &origin, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
