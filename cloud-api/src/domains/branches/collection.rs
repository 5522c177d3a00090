//! `/admin/branches`: list and create.

use super::setup::{BranchRecord, BranchSetup};
use super::{change, open, store};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::http::{
    Caller, Error, IdempotencyKey, IfNoneMatch, Json, OnConstraint, Once, Origin, Page, PageQuery,
    Problem, Query, Result, Valid,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

/// List the branches of the organization with all that is said of them, by name.
#[utoipa::path(get, path = "/admin/branches", tag = "admin", params(PageQuery),
    security(("bearer" = ["read:platform"])), responses(
    (status = 200, body = Page<BranchRecord>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_branch_records(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let wanted = store::Wanted { after: page.after()?, only: None, rows: page.rows() };
    let mut db = app.db.acquire().await?;
    let found = store::records(&mut db, caller.organization, wanted).await?;
    let key = |branch: &BranchRecord| (branch.setup.name.clone(), branch.id);
    known.answer(&Page::cut(found, &page, key))
}

/// Open a branch. What is left out is at its default.
#[utoipa::path(post, path = "/admin/branches", tag = "admin", params(IdempotencyKey),
    security(("bearer" = ["write:settings"])), request_body = BranchSetup, responses(
    (status = 201, body = BranchRecord),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`name_taken`: another branch of the organization has it; `too_many_branches`")))]
pub async fn create_branch(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    once: Once,
    Valid(setup): Valid<BranchSetup>,
) -> Result<(StatusCode, Json<BranchRecord>)> {
    let (organization, now) = (caller.organization, app.clock.now());
    let mut tx = app.db.begin().await?;
    super::check_zone(&mut tx, &setup.time_zone).await?;
    let (name, zone) = (setup.name.as_str(), setup.time_zone.as_str());
    let opened = open(&mut tx, organization, name, zone, now).await;
    let opened = opened
        .on_constraint("branches_organization_name_key", || super::NAME_TAKEN)
        .on_constraint("branches_site_no_check", || Error::Conflict("too_many_branches"))?;
    let before = store::record(&mut tx, organization, opened.id).await?;
    let made = change(&mut tx, &before, &setup, now).await?;
    let entry = Entry::asked("branch.created", &caller, &origin).on(made.id);
    audit::record(&mut tx, &entry, now).await?;
    once.commit(tx).await?;
    Ok((StatusCode::CREATED, Json(made)))
}
