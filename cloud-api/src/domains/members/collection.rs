//! `/members`: list and create.

use super::list_store::{self, Wanted};
use super::model::{Member, MemberDetails, Sort, Source};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::accounts::plain_text;
use crate::domains::branches;
use crate::http::{
    Caller, IdempotencyKey, IfNoneMatch, Json, Once, Origin, Page, PageQuery, Problem, Query,
    Result, Valid,
};
use crate::ids::BranchId;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which members, in which order.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct MemberFilter {
    /// In the name or the reference; or the whole number or e-mail address.
    #[garde(length(chars, min = 1, max = 100), inner(custom(plain_text)))]
    #[param(min_length = 1, max_length = 100)]
    pub q: Option<String>,
    /// With a right at this branch, present or past.
    #[garde(skip)]
    pub branch_id: Option<BranchId>,
    /// Only those who are blocked, or only those who are not.
    #[garde(skip)]
    pub blocked: Option<bool>,
    /// By name (the default) or number; with a minus sign from the end.
    #[garde(skip)]
    #[serde(default)]
    #[param(inline, required = false)]
    pub sort: Sort,
}

/// List the members whom the caller sees.
#[utoipa::path(get, path = "/members", tag = "members", params(MemberFilter, PageQuery),
    security(("bearer" = ["read:members"])), responses(
    (status = 200, body = Page<Member>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_members(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<MemberFilter>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let after = page.after()?;
    let mut db = app.db.acquire().await?;
    if let Some(branch) = filter.branch_id {
        branches::visible(&mut db, &caller, branch).await?;
    }
    let wanted = Wanted { caller: &caller, filter: &filter, after, rows: page.rows() };
    let members = list_store::list(&mut db, wanted).await?;
    known.answer(&Page::cut(members, &page, |member| filter.sort.place(member)))
}

/// Make a member. Without a membership they may not come in yet.
#[utoipa::path(post, path = "/members", tag = "members", params(IdempotencyKey),
    security(("bearer" = ["write:members"])), request_body = MemberDetails, responses(
    (status = 201, body = Member),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`reference_taken`")))]
pub async fn create_member(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    once: Once,
    Valid(new): Valid<MemberDetails>,
) -> Result<(StatusCode, Json<Member>)> {
    let (new, now) = (new.with_types(Source::Desk)?, app.clock.now());
    let mut tx = app.db.begin().await?;
    let member = super::create(&mut tx, caller.organization, &new, now).await?;
    let entry = Entry::asked("member.created", &caller, &origin).on(member.id);
    audit::record(&mut tx, &entry, now).await?;
    once.commit(tx).await?;
    Ok((StatusCode::CREATED, Json(member)))
}
