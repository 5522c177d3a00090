//! `/users/credentials`: the own cards and phones.

use crate::app::App;
use crate::domains::members::{self, Credential, NewCredential};
use crate::http::{
    Caller, Error, IdempotencyKey, IfNoneMatch, Json, Once, Origin, Page, Path, Problem, Result,
    Valid,
};
use crate::ids::CredentialId;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

/// List the own cards and phones; none for who is no member.
#[utoipa::path(get, path = "/users/credentials", tag = "users",
    security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = Page<Credential>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_own_credentials(
    State(app): State<App>,
    caller: Caller,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    let own = match members::of_user(&mut db, caller.organization, caller.user).await? {
        Some(member) => members::credentials(&mut db, member.id).await?,
        None => Vec::new(),
    };
    known.answer(&Page::whole(own))
}

/// Add a card or a phone of one's own. Doors are told at once.
#[utoipa::path(post, path = "/users/credentials", tag = "users", params(IdempotencyKey),
    security(("bearer" = ["write:profile"])), request_body = NewCredential, responses(
    (status = 201, body = Credential),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`not_a_member`; `credential_taken`: it is somebody's already; `too_many_credentials`")))]
pub async fn add_own_credential(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    once: Once,
    Valid(new): Valid<NewCredential>,
) -> Result<(StatusCode, Json<Credential>)> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let own = members::of_caller(&mut tx, &caller).await?.id;
    let made = members::give_credential(&mut tx, &caller, &origin, own, &new, now).await?;
    once.commit(tx).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Revoke a card or phone of one's own, e.g. since it is lost. Doors are told at once.
#[utoipa::path(delete, path = "/users/credentials/{id}", tag = "users",
    params(("id" = CredentialId, Path, description = "Id of the card or phone")),
    security(("bearer" = ["write:profile"])), responses((status = 204)))]
pub async fn revoke_own_credential(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<CredentialId>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let own = members::of_user(&mut tx, caller.organization, caller.user).await?;
    let own = own.ok_or(Error::NotFound)?.id;
    if !members::credentials(&mut tx, own).await?.iter().any(|one| one.id == id) {
        return Err(Error::NotFound);
    }
    members::take_credential_away(&mut tx, &caller, &origin, id, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
