//! `/admin/organizations`: the operator's own. Others are made by `admin create-org`, from the shell of the server.

use super::model::Organization;
use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::accounts::plain_text;
use crate::http::{
    Caller, Error, IfMatch, IfMatchHeader, IfNoneMatch, Json, OnConstraint, Origin, Page, Patch,
    Path, Problem, Result,
};
use crate::ids::OrganizationId;
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What there is to say of an organization.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct OrganizationSetup {
    /// Unique in this cloud.
    #[garde(length(chars, min = 1, max = 100), custom(plain_text))]
    #[schema(min_length = 1, max_length = 100, example = "Iron & Co")]
    pub name: String,
}

impl Default for OrganizationSetup {
    fn default() -> Self {
        Self { name: "-".to_owned() }
    }
}

/// List the organizations that the caller runs: there is one.
#[utoipa::path(get, path = "/admin/organizations", tag = "admin",
    security(("bearer" = ["read:platform"])), responses(
    (status = 200, body = Page<Organization>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_organizations(
    State(app): State<App>,
    caller: Caller,
    known: IfNoneMatch,
) -> Result<Response> {
    let own = store::by_id(&mut *app.db.acquire().await?, caller.organization).await?;
    known.answer(&Page::whole(vec![own]))
}

/// Read the organization.
#[utoipa::path(get, path = "/admin/organizations/{id}", tag = "admin",
    params(("id" = OrganizationId, Path, description = "Id of the organization")),
    security(("bearer" = ["read:platform"])), responses(
    (status = 200, body = Organization),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_organization(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<OrganizationId>,
    known: IfNoneMatch,
) -> Result<Response> {
    own(&caller, id)?;
    known.answer(&store::by_id(&mut *app.db.acquire().await?, id).await?)
}

/// Change what is said of the organization.
#[utoipa::path(patch, path = "/admin/organizations/{id}", tag = "admin",
    params(("id" = OrganizationId, Path, description = "Id of the organization"), IfMatchHeader),
    security(("bearer" = ["write:settings"])), request_body = OrganizationSetup, responses(
    (status = 200, body = Organization),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`name_taken`: another organization has it"),
    (status = 412, body = Problem, content_type = "application/problem+json",
     description = "`changed_meanwhile`: it is no longer what `If-Match` names")))]
pub async fn update_organization(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<OrganizationId>,
    expected: IfMatch,
    patch: Patch<OrganizationSetup>,
) -> Result<Json<Organization>> {
    own(&caller, id)?;
    let mut tx = app.db.begin().await?;
    crate::domains::members::hold_alone(&mut tx, id).await?;
    let before = store::by_id(&mut tx, id).await?;
    expected.check(&before)?;
    let setup = patch.applied_to(&OrganizationSetup { name: before.name.clone() })?;
    store::rename(&mut tx, id, &setup.name)
        .await
        .on_constraint("organizations_name_key", || Error::Conflict("name_taken"))?;
    let after = Organization { name: setup.name, ..before.clone() };
    let entry = Entry::asked("organization.changed", &caller, &origin).on(id);
    audit::record(&mut tx, &entry.changed(&before, &after), app.clock.now()).await?;
    tx.commit().await?;
    Ok(Json(after))
}

fn own(caller: &Caller, id: OrganizationId) -> Result<()> {
    if caller.organization == id { Ok(()) } else { Err(Error::NotFound) }
}
