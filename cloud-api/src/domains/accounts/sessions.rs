//! `/auth/sessions`: the own logins, and ending one.

use super::login_store::{self, Login};
use crate::app::App;
use crate::audit;
use crate::http::{
    Caller, Error, IfNoneMatch, Origin, Page, PageQuery, Path, Problem, Query, Result,
};
use crate::ids::LoginId;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

/// List the devices that the caller is logged in with, the newest first.
#[utoipa::path(get, path = "/auth/sessions", tag = "accounts", params(PageQuery),
    security(("bearer" = [])), responses(
    (status = 200, body = Page<Login>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_logins(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let (after, now) = (page.after()?, app.clock.now());
    let mut db = app.db.acquire().await?;
    let logins = login_store::list(&mut db, caller.user, after, page.rows(), now).await?;
    known.answer(&Page::cut(logins, &page, |login| login.id))
}

/// Log one device out.
#[utoipa::path(delete, path = "/auth/sessions/{id}", tag = "accounts",
    params(("id" = LoginId, Path, description = "Id of the login")),
    security(("bearer" = [])), responses(
    (status = 204),
    (status = 404, body = Problem, content_type = "application/problem+json",
     description = "`not_found`, also for logins of others")))]
pub async fn end_login(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<LoginId>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if !login_store::end(&mut tx, caller.user, id, "revoked", now).await? {
        return Err(Error::NotFound);
    }
    let entry = audit::Entry::new("login.revoked").by(caller.user).of(caller.organization);
    audit::record(&mut tx, &entry.on(id).from(&origin), now).await?;
    tx.commit().await?;
    app.forget(caller.user);
    Ok(StatusCode::NO_CONTENT)
}
