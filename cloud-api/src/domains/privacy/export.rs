//! `/users/export`: an archive of all that is stored about oneself.

use super::archive::BuildArchive;
use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::{accounts, files, watch};
use crate::http::{Caller, Error, Json, Origin, Problem, Result};
use crate::ids::{ExportId, FileId};
use crate::jobs;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// An archive that was asked for.
#[derive(Debug)]
pub struct Export {
    pub id: ExportId,
    pub asked_at: OffsetDateTime,
    pub ready_at: Option<OffsetDateTime>,
    pub expires_at: Option<OffsetDateTime>,
    pub file_id: Option<FileId>,
}

/// How far an archive is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportState {
    pub id: ExportId,
    #[serde(with = "time::serde::rfc3339")]
    pub asked_at: OffsetDateTime,
    /// Null while it is being made.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ready_at: Option<OffsetDateTime>,
    /// When it goes away.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// A ZIP of JSON and files. The link needs no token and is good for five minutes; ask again for another.
    pub download_url: Option<String>,
}

impl ExportState {
    fn of(app: &App, export: &Export) -> Result<Self> {
        let link = |id| files::signed_link(app, id, "archive");
        Ok(Self {
            id: export.id,
            asked_at: export.asked_at,
            ready_at: export.ready_at,
            expires_at: export.expires_at,
            download_url: export.file_id.map(link).transpose()?,
        })
    }
}

/// Read how far the own archive is.
#[utoipa::path(get, path = "/users/export", tag = "privacy", security(("bearer" = ["read:profile"])),
    responses(
    (status = 200, body = ExportState),
    (status = 404, body = Problem, content_type = "application/problem+json",
     description = "`not_found`: none was asked for, or it is over")))]
pub async fn read_export(State(app): State<App>, caller: Caller) -> Result<Json<ExportState>> {
    let now = app.clock.now();
    let found = store::export(&mut *app.db.acquire().await?, caller.user, now).await?;
    Ok(Json(ExportState::of(&app, &found.ok_or(Error::NotFound)?)?))
}

/// Ask for an archive of all that is stored about oneself. It takes a while; a letter tells when it is ready. While one
/// is being made, no other is.
#[utoipa::path(post, path = "/users/export", tag = "privacy", security(("bearer" = ["read:profile"])),
    extensions(("x-rate-limit" = json!({"limit": 10, "window_s": 86400}))),
    responses((status = 202, body = ExportState)))]
pub async fn ask_for_export(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
) -> Result<(StatusCode, Json<ExportState>)> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    accounts::hold(&mut tx, caller.user).await?;
    let known = store::export(&mut tx, caller.user, now).await?;
    if known.is_none_or(|export| export.ready_at.is_some()) {
        let export = store::add_export(&mut tx, caller.user, now).await?;
        jobs::enqueue(&mut tx, &BuildArchive { export }, now).await?;
        let entry = Entry::asked("export.asked", &caller, &origin).on(export);
        audit::record(&mut tx, &entry, now).await?;
    }
    let export = store::export(&mut tx, caller.user, now).await?.ok_or(Error::NotFound)?;
    tx.commit().await?;
    watch::after_export(&app, caller.user).await?;
    Ok((StatusCode::ACCEPTED, Json(ExportState::of(&app, &export)?)))
}
