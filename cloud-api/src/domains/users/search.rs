//! `/users/search`: finding people of the own organization.

use super::store::{self, Person};
use crate::app::App;
use crate::domains::accounts::plain_text;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Permission, Place, Query, Result};
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

/// What to look for.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// A part of the name.
    #[garde(length(chars, min = 2, max = 100), custom(plain_text))]
    #[param(min_length = 2, max_length = 100)]
    pub q: String,
}

/// Find people by name. Who has not made the profile public is found by staff only.
#[utoipa::path(get, path = "/users/search", tag = "users", params(Search, PageQuery),
    security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = Page<Person>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn search_users(
    State(app): State<App>,
    caller: Caller,
    Query(search): Query<Search>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let (after, text) = (page.after()?, search.q.trim());
    let sees_all = caller.has(Permission::ReadMembers);
    let mut db = app.db.acquire().await?;
    let found = store::search(&mut db, caller.organization, sees_all, text, after, page.rows());
    let key = |one: &Person| Place { key: one.name.to_lowercase(), id: one.id.0 };
    known.answer(&Page::cut(found.await?, &page, key))
}
