//! `/admin/readers`: list and create.

use super::model::{ReaderRecord, ReaderSetup};
use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::branches;
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

/// Which readers.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct ReaderFilter {
    /// Of this branch only.
    #[garde(skip)]
    pub branch_id: Option<BranchId>,
}

/// A reader that was made, and what it logs in with: shown now and never again.
#[derive(Serialize, ToSchema)]
pub struct MadeReader {
    pub reader: ReaderRecord,
    #[schema(example = "f3Jq0iYF2xv2Ck8mYv0S9m1kQbE")]
    pub secret: String,
}

/// List readers of the caller's branches, by name.
#[utoipa::path(get, path = "/admin/readers", tag = "admin", params(ReaderFilter, PageQuery),
    security(("bearer" = ["read:machines"])), responses(
    (status = 200, body = Page<ReaderRecord>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_readers(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<ReaderFilter>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let (after, rows) = (page.after()?, page.rows());
    let mut db = app.db.acquire().await?;
    let found = store::list(&mut db, caller.scope(), filter.branch_id, None, after, rows).await?;
    let place = |one: &ReaderRecord| Place { key: one.setup.name.clone(), id: one.id.0 };
    known.answer(&Page::cut(found, &page, place))
}

/// Register a reader. Its branch is told.
#[utoipa::path(post, path = "/admin/readers", tag = "admin", params(IdempotencyKey),
    security(("bearer" = ["write:settings"])), request_body = ReaderSetup, responses(
    (status = 201, body = MadeReader),
    (status = 404, body = Problem, content_type = "application/problem+json",
     description = "`not_found`: no such branch"),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`code_taken`: another device of the branch has it")))]
pub async fn create_reader(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    once: Once,
    Valid(setup): Valid<ReaderSetup>,
) -> Result<(StatusCode, Json<MadeReader>)> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    branches::visible(&mut tx, &caller, setup.branch_id).await?;
    let (reader, secret) = super::create(&mut tx, &setup, now).await?;
    let entry = Entry::asked("reader.created", &caller, &origin).on(reader.id);
    audit::record(&mut tx, &entry, now).await?;
    once.commit(tx).await?;
    let secret = secret.expose().to_owned();
    Ok((StatusCode::CREATED, Json(MadeReader { reader, secret })))
}
