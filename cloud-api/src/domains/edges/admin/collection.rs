//! `/admin/edges`: list.

use super::model::EdgeRecord;
use super::store;
use crate::app::App;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Place, Query, Result};
use crate::ids::BranchId;
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which edges.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct EdgeFilter {
    /// Of this branch only.
    #[garde(skip)]
    pub branch_id: Option<BranchId>,
    /// Former ones too, whose keys count no more.
    #[garde(skip)]
    #[serde(default)]
    #[param(required = false, default = false)]
    pub with_revoked: bool,
}

/// List the edges of the caller's branches and how they are, by the names of the branches.
#[utoipa::path(get, path = "/admin/edges", tag = "admin", params(EdgeFilter, PageQuery),
    security(("bearer" = ["read:machines"])), responses(
    (status = 200, body = Page<EdgeRecord>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_edges(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<EdgeFilter>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let wanted = store::Wanted {
        scope: caller.scope(),
        branch: filter.branch_id,
        only: None,
        with_revoked: filter.with_revoked,
        after: page.after()?,
        rows: page.rows(),
    };
    let found = store::list(&mut *app.db.acquire().await?, wanted, app.clock.now()).await?;
    let place = |one: &EdgeRecord| Place { key: one.branch_name.clone(), id: one.id.0 };
    known.answer(&Page::cut(found, &page, place))
}
