//! `/admin/users`: accounts of the organization, for who runs it.

use super::directory_store::{self as store, Account, Wanted};
use super::model::{Role, Status};
use super::plain_text;
use crate::app::App;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Query, Result};
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which accounts.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct AccountFilter {
    /// In the name or the e-mail address.
    #[garde(length(chars, min = 1, max = 100), inner(custom(plain_text)))]
    #[param(min_length = 1, max_length = 100)]
    pub q: Option<String>,
    #[garde(skip)]
    #[param(inline)]
    pub role: Option<Role>,
    #[garde(skip)]
    #[param(inline)]
    pub status: Option<Status>,
}

/// List accounts, the newest first.
#[utoipa::path(get, path = "/admin/users", tag = "admin", params(AccountFilter, PageQuery),
    security(("bearer" = ["read:users"])), responses(
    (status = 200, body = Page<Account>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_accounts(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<AccountFilter>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let wanted = Wanted {
        text: filter.q.as_deref().map(str::trim),
        role: filter.role,
        status: filter.status,
        before: page.after()?,
        only: None,
        rows: page.rows(),
    };
    let mut db = app.db.acquire().await?;
    let accounts = store::list(&mut db, caller.organization, wanted).await?;
    known.answer(&Page::cut(accounts, &page, |account| account.id))
}
