//! `/members/{id}/credentials`: list and create.

use super::model::{Credential, CredentialKind, Proof};
use super::sight;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::accounts::plain_text;
use crate::http::{
    Caller, Error, IdempotencyKey, IfNoneMatch, Json, Once, Origin, Page, Path, Problem, Result,
    Valid, parse,
};
use crate::ids::MemberId;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use sqlx::PgConnection;
use std::str::FromStr;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A card or phone that somebody gets.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewCredential {
    #[garde(skip)]
    #[schema(inline)]
    pub kind: CredentialKind,
    /// Of a card: its number, 4, 7 or 10 bytes in hexadecimal. It is not kept and not shown again.
    #[garde(length(bytes, min = 8, max = 40))]
    #[schema(min_length = 8, max_length = 40, example = "04:DE:5F:1E:AC:C0:40")]
    pub uid: Option<String>,
    /// Of a phone: its P-256 public key (SEC1) in hexadecimal.
    #[garde(length(bytes, min = 66, max = 130))]
    #[schema(min_length = 66, max_length = 130)]
    pub public_key: Option<String>,
    /// What it is called.
    #[garde(length(chars, min = 1, max = 60), inner(custom(plain_text)))]
    #[schema(min_length = 1, max_length = 60, example = "blue wristband")]
    pub label: Option<String>,
}

impl NewCredential {
    /// What it is known by.
    pub fn proof(&self) -> Result<Proof> {
        let (uid, key) = (self.uid.as_deref(), self.public_key.as_deref());
        match self.kind {
            CredentialKind::NfcUid => Ok(Proof::NfcUid(only("uid", uid, "public_key", key)?)),
            CredentialKind::Sun => Ok(Proof::Sun(only("uid", uid, "public_key", key)?)),
            CredentialKind::Phone => Ok(Proof::Phone(only("public_key", key, "uid", uid)?)),
        }
    }
}

/// The field that is needed, where the other one has no meaning.
fn only<T: FromStr<Err: std::fmt::Display>>(
    needed: &'static str,
    value: Option<&str>,
    other: &'static str,
    unwanted: Option<&str>,
) -> Result<T> {
    let wrong = |field, code, message: &str| Error::Field { field, code, message: message.into() };
    if unwanted.is_some() {
        return Err(wrong(other, "invalid", "does not belong to this kind"));
    }
    parse(needed, value.ok_or_else(|| wrong(needed, "required", "is needed for this kind"))?)
}

/// Gives a member a card or phone as somebody asks for; it is written down.
pub async fn give(
    db: &mut PgConnection,
    caller: &Caller,
    origin: &Origin,
    member: MemberId,
    new: &NewCredential,
    now: OffsetDateTime,
) -> Result<Credential> {
    let (proof, label) = (new.proof()?, new.label.as_deref());
    let made = super::add_credential(db, caller.organization, member, &proof, label, now).await?;
    let entry = Entry::asked("credential.created", caller, origin).on(made.id);
    audit::record(db, &entry, now).await?;
    Ok(made)
}

/// List the cards and phones of a member. There are 16 at most, on one page.
#[utoipa::path(get, path = "/members/{id}/credentials", tag = "members",
    params(("id" = MemberId, Path, description = "Id of the member")),
    security(("bearer" = ["read:members"])), responses(
    (status = 200, body = Page<Credential>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_credentials(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<MemberId>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    sight::member(&mut db, &caller, id).await?;
    known.answer(&Page::whole(super::credentials(&mut db, id).await?))
}

/// Give a member a card or a phone. Doors are told at once.
#[utoipa::path(post, path = "/members/{id}/credentials", tag = "members",
    params(("id" = MemberId, Path, description = "Id of the member"), IdempotencyKey),
    security(("bearer" = ["write:members"])), request_body = NewCredential, responses(
    (status = 201, body = Credential),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`credential_taken`: it is somebody's already; `too_many_credentials`")))]
pub async fn create_credential(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<MemberId>,
    once: Once,
    Valid(new): Valid<NewCredential>,
) -> Result<(StatusCode, Json<Credential>)> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    sight::member(&mut tx, &caller, id).await?;
    let made = give(&mut tx, &caller, &origin, id, &new, now).await?;
    once.commit(tx).await?;
    Ok((StatusCode::CREATED, Json(made)))
}
