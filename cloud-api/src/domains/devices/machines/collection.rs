//! `/admin/machines`: list and create.

use super::model::{MachineRecord, MachineSetup};
use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::accounts::plain_text;
use crate::domains::branches;
use crate::domains::devices::MachineType;
use crate::http::{
    Caller, IdempotencyKey, IfNoneMatch, Json, Once, Origin, Page, PageQuery, Place, Problem,
    Query, Result, Valid,
};
use crate::ids::BranchId;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which machines.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct MachineRecordFilter {
    /// Of this branch only.
    #[garde(skip)]
    pub branch_id: Option<BranchId>,
    /// Of this type only.
    #[garde(skip)]
    #[serde(rename = "type")]
    #[param(inline)]
    pub machine_type: Option<MachineType>,
    /// With this tag only.
    #[garde(length(chars, min = 1, max = 40), inner(custom(plain_text)))]
    #[param(min_length = 1, max_length = 40)]
    pub tag: Option<String>,
    /// In name or code, or the whole number.
    #[garde(length(chars, min = 1, max = 100), inner(custom(plain_text)))]
    #[param(min_length = 1, max_length = 100)]
    pub q: Option<String>,
}

/// A machine that was made, and what it logs in with: shown now and never again.
#[derive(Serialize, ToSchema)]
pub struct MadeMachine {
    pub machine: MachineRecord,
    #[schema(example = "f3Jq0iYF2xv2Ck8mYv0S9m1kQbE")]
    pub secret: String,
}

/// List machines of the caller's branches with all that is said of them, by name.
#[utoipa::path(get, path = "/admin/machines", tag = "machines", params(MachineRecordFilter, PageQuery),
    security(("bearer" = ["read:machines"])), responses(
    (status = 200, body = Page<MachineRecord>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_registered_machines(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<MachineRecordFilter>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let wanted = store::Wanted {
        branch: filter.branch_id,
        machine_type: filter.machine_type,
        tag: filter.tag.as_deref(),
        text: filter.q.as_deref().map(str::trim),
        after: page.after()?,
        rows: page.rows(),
        ..store::Wanted::of(caller.scope())
    };
    let found = store::list(&mut *app.db.acquire().await?, wanted).await?;
    let place = |one: &MachineRecord| Place { key: one.setup.name.clone(), id: one.id.0 };
    known.answer(&Page::cut(found, &page, place))
}

/// Register a machine. Its branch is told.
#[utoipa::path(post, path = "/admin/machines", tag = "machines", params(IdempotencyKey),
    security(("bearer" = ["write:settings"])), request_body = MachineSetup, responses(
    (status = 201, body = MadeMachine),
    (status = 404, body = Problem, content_type = "application/problem+json",
     description = "`not_found`: no such branch"),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`code_taken`, `number_taken`: another device of the branch has it")))]
pub async fn create_machine(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    once: Once,
    Valid(setup): Valid<MachineSetup>,
) -> Result<(StatusCode, Json<MadeMachine>)> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    branches::visible(&mut tx, &caller, setup.branch_id).await?;
    let (machine, secret) = super::create(&mut tx, &setup, now).await?;
    let entry = Entry::asked("machine.created", &caller, &origin).on(machine.id);
    audit::record(&mut tx, &entry, now).await?;
    once.commit(tx).await?;
    let secret = secret.expose().to_owned();
    Ok((StatusCode::CREATED, Json(MadeMachine { machine, secret })))
}
