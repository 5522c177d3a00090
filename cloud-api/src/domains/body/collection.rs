//! `/users/body-metrics`: how a body is, and what was measured.

use super::model::{Current, Entry, Metrics, MetricsSource};
use super::{Wanted, about, check, one, store};
use crate::app::App;
use crate::domains::accounts;
use crate::http::{
    Caller, Error, IdempotencyKey, IfNoneMatch, Json, Once, Page, PageQuery, Patch, Problem, Query,
    Result, Valid,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

/// The newest measures, and a page of all.
#[derive(Debug, Serialize, ToSchema)]
pub struct BodyMetrics {
    pub current: Current,
    /// The newest first.
    pub items: Vec<Entry>,
    /// Ask for the next part with this; null at the end.
    pub next_cursor: Option<String>,
}

/// Read how the own body is: the newest of every measure, what follows from them, and the entries.
#[utoipa::path(get, path = "/users/body-metrics", tag = "body", params(PageQuery),
    security(("bearer" = ["read:progress"])), responses(
    (status = 200, body = BodyMetrics),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_body_metrics(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let wanted = Wanted { before: page.after()?, rows: page.rows(), ..Wanted::default() };
    let mut db = app.db.acquire().await?;
    let mut current = Current::default();
    let recent = Wanted { rows: LOOKED_AT, ..Wanted::default() };
    for entry in store::list(&mut db, &app.secrets, caller.user, recent).await? {
        current.add(&entry.metrics);
    }
    current.derive(&about(&app, &mut db, caller.user).await?);
    let entries = store::list(&mut db, &app.secrets, caller.user, wanted).await?;
    let key = |entry: &Entry| (entry.metrics.measured_on, entry.id);
    let Page { items, next_cursor } = Page::cut(entries, &page, key);
    known.answer(&BodyMetrics { current, items, next_cursor })
}

/// A height that was told a year of days ago still counts.
const LOOKED_AT: i64 = 400;

/// Say how the body is today; what is left out stays, null clears.
#[utoipa::path(put, path = "/users/body-metrics", tag = "body",
    security(("bearer" = ["write:progress"])), request_body = Metrics, responses(
    (status = 200, body = Entry)))]
pub async fn set_body_metrics(
    State(app): State<App>,
    caller: Caller,
    patch: Patch<Metrics>,
) -> Result<Json<Entry>> {
    let now = app.clock.now();
    let today = Some(now.date());
    let mut tx = app.db.begin().await?;
    accounts::hold(&mut tx, caller.user).await?;
    let wanted = Wanted { from: today, until: today, rows: 2, ..Wanted::default() };
    let entries = store::list(&mut tx, &app.secrets, caller.user, wanted).await?;
    let known = entries.into_iter().find(|entry| entry.source == MetricsSource::Manual);
    let present = known.as_ref().map(|entry| entry.metrics.clone()).unwrap_or_default();
    let metrics = patch.applied_to(&present)?;
    let metrics = check(Metrics { measured_on: today, ..metrics }, now)?;
    let id = match known {
        Some(known) => {
            store::update(&mut tx, &app.secrets, known.id, &metrics, now).await?;
            known.id
        }
        None => super::add(&app, &mut tx, caller.user, &metrics).await?.ok_or(TAKEN)?,
    };
    let entry = one(&app, &mut tx, caller.user, id).await?;
    tx.commit().await?;
    Ok(Json(entry))
}

/// Add an entry of some day.
#[utoipa::path(post, path = "/users/body-metrics", tag = "body", params(IdempotencyKey),
    security(("bearer" = ["write:progress"])), request_body = Metrics, responses(
    (status = 201, body = Entry),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`day_taken`: that day has an entry, which can be changed")))]
pub async fn add_body_metrics(
    State(app): State<App>,
    caller: Caller,
    once: Once,
    Valid(metrics): Valid<Metrics>,
) -> Result<(StatusCode, Json<Entry>)> {
    let metrics = check(metrics, app.clock.now())?;
    let mut tx = app.db.begin().await?;
    let id = super::add(&app, &mut tx, caller.user, &metrics).await?.ok_or(TAKEN)?;
    let entry = one(&app, &mut tx, caller.user, id).await?;
    once.commit(tx).await?;
    Ok((StatusCode::CREATED, Json(entry)))
}

const TAKEN: Error = Error::Conflict("day_taken");
