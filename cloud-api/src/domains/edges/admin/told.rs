//! `/admin/edges/{id}/roster` and `configuration`: what the branch of an edge was told, without anything secret.

use super::told_store::{self as store, RosterCounts, RosterEntry};
use crate::app::App;
use crate::http::{Caller, IfNoneMatch, Page, PageQuery, Path, Query, Result};
use crate::ids::EdgeId;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What a branch was told of people and readers.
#[derive(Debug, Serialize, ToSchema)]
pub struct RosterPage {
    /// The newest version of what the branch is told.
    #[schema(example = 4711)]
    version: i64,
    counts: RosterCounts,
    #[serde(flatten)]
    page: Page<RosterEntry>,
}

/// What a branch was told of itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct EdgeConfiguration {
    /// The newest version of what the branch is told.
    #[schema(example = 4711)]
    version: i64,
    /// Settings by key; what is not here is at its default.
    #[schema(value_type = Object, example = json!({"time_zone": "Europe/Berlin", "door_open_ms": 3000}))]
    settings: BTreeMap<String, Value>,
    /// Keys of settings whose values are not shown.
    secret_settings: Vec<String>,
    /// How many devices it was told of.
    devices: i64,
}

/// Read what an edge's branch was told of members, cards, staff and readers.
#[utoipa::path(get, path = "/admin/edges/{id}/roster", tag = "admin",
    params(("id" = EdgeId, Path, description = "Id of the edge"), PageQuery),
    security(("bearer" = ["read:members"])), responses((status = 200, body = RosterPage)))]
pub async fn read_edge_roster(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EdgeId>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    let branch = super::visible(&mut db, &caller, id).await?;
    let after: Option<String> = page.after()?;
    let found = store::roster(&mut db, branch, after.as_deref(), page.rows()).await?;
    let (version, counts) = store::roster_counts(&mut db, branch).await?;
    let page = Page::cut(found, &page, |entry| entry.place.clone());
    known.answer(&RosterPage { version, counts, page })
}

/// Read the settings that an edge's branch was told.
#[utoipa::path(get, path = "/admin/edges/{id}/configuration", tag = "admin",
    params(("id" = EdgeId, Path, description = "Id of the edge")),
    security(("bearer" = ["read:machines"])), responses((status = 200, body = EdgeConfiguration)))]
pub async fn read_edge_configuration(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EdgeId>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    let branch = super::visible(&mut db, &caller, id).await?;
    let (settings, secret_settings) = store::settings(&mut db, branch).await?;
    let (version, devices) = store::devices(&mut db, branch).await?;
    known.answer(&EdgeConfiguration { version, settings, secret_settings, devices })
}
