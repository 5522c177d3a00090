//! `/credentials/{id}`: switch on and off, revoke.

use super::model::Credential;
use super::sight;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::http::{Caller, Json, Origin, Patch, Path, Result};
use crate::ids::CredentialId;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Whether a card or phone opens anything.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// Off, it is known but opens nothing.
    #[garde(skip)]
    pub enabled: bool,
}

/// Switch a card or phone off for a while, or on again. Doors are told at once.
#[utoipa::path(patch, path = "/credentials/{id}", tag = "members",
    params(("id" = CredentialId, Path, description = "Id of the card or phone")),
    security(("bearer" = ["write:members"])), request_body = Switch,
    responses((status = 200, body = Credential)))]
pub async fn update_credential(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<CredentialId>,
    patch: Patch<Switch>,
) -> Result<Json<Credential>> {
    let (organization, now) = (caller.organization, app.clock.now());
    let mut tx = app.db.begin().await?;
    let before = sight::credential(&mut tx, &caller, id).await?;
    let switch = patch.applied_to(&Switch { enabled: before.enabled })?;
    let after = super::set_credential_enabled(&mut tx, organization, id, switch.enabled).await?;
    let entry = Entry::asked("credential.switched", &caller, &origin).on(id);
    audit::record(&mut tx, &entry.changed(&before, &after), now).await?;
    tx.commit().await?;
    Ok(Json(after))
}

/// Revokes a card or phone as somebody asks for; it is written down.
pub async fn take_away(
    db: &mut PgConnection,
    caller: &Caller,
    origin: &Origin,
    id: CredentialId,
    now: OffsetDateTime,
) -> Result<()> {
    super::revoke_credential(db, caller.organization, id, now).await?;
    let entry = Entry::asked("credential.revoked", caller, origin).on(id);
    Ok(audit::record(db, &entry, now).await?)
}

/// Take a card or phone away for good. Doors are told at once.
#[utoipa::path(delete, path = "/credentials/{id}", tag = "members",
    params(("id" = CredentialId, Path, description = "Id of the card or phone")),
    security(("bearer" = ["write:members"])), responses((status = 204)))]
pub async fn revoke_credential(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<CredentialId>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    sight::credential(&mut tx, &caller, id).await?;
    take_away(&mut tx, &caller, &origin, id, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
