//! `/scans/upload`: a file of a body scanner.

use super::store::{self, Scan};
use super::table;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::{accounts, body, users};
use crate::http::{Caller, Error, Json, Origin, Problem, Refusal, Result, Upload};
use crate::ids::{ScanId, UserId};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// What is sent, as `multipart/form-data`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "for the API document only")]
pub struct ScanUpload {
    /// A table as the scanner exports it: CSV in UTF-8, one line a scan, 256 KiB at most.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TakenIn {
    pub id: ScanId,
    #[serde(with = "time::serde::rfc3339")]
    pub uploaded_at: OffsetDateTime,
    /// Entries of the days that the file tells of, the newest first.
    pub items: Vec<body::Entry>,
}

/// Upload a file of a body scanner of the `InBody` kind. Its lines become entries of body measures with the source `scan`,
/// one a day; a later scan of the same day counts. The same file again changes nothing.
#[utoipa::path(post, path = "/scans/upload", tag = "body", security(("bearer" = ["write:progress"])),
    request_body(content = ScanUpload, content_type = "multipart/form-data"),
    extensions(("x-rate-limit" = json!({"limit": 30, "window_s": 3600}))),
    responses(
    (status = 200, body = TakenIn, description = "it was sent before"),
    (status = 201, body = TakenIn),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`too_many_scans`: 100 files are kept"),
    (status = 413, body = Problem, content_type = "application/problem+json",
     description = "`payload_too_large`: more than 256 KiB"),
    (status = 415, body = Problem, content_type = "application/problem+json",
     description = "`unsupported_media_type`: no multipart/form-data, or the file is no text in UTF-8"),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "in `errors`: what of `file` cannot be used, with its line and column")))]
pub async fn upload_scan(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    upload: Upload,
) -> Result<(StatusCode, Json<TakenIn>)> {
    let content = upload.0;
    if content.len() > MAX_BYTES {
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large").into());
    }
    let digest = Sha256::digest(&content);
    let mut tx = app.db.begin().await?;
    accounts::hold(&mut tx, caller.user).await?;
    if let Some(known) = store::by_digest(&mut tx, caller.user, &digest).await? {
        return Ok((StatusCode::OK, Json(taken_in(&app, &mut tx, caller.user, known).await?)));
    }
    if store::count(&mut tx, caller.user).await? >= MAX_SCANS {
        return Err(Error::Conflict("too_many_scans"));
    }
    let scan = take_in(&app, &mut tx, caller.user, &content, &digest).await?;
    let entry = Entry::asked("body_scan.added", &caller, &origin).on(scan.id);
    let entry = entry.detail(json!({"days": scan.days.len()}));
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    let answer = taken_in(&app, &mut tx, caller.user, scan).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Years of weekly scans, with every column there is.
const MAX_BYTES: usize = 256 * 1024;
const MAX_SCANS: i64 = 100;

async fn take_in(
    app: &App,
    db: &mut PgConnection,
    user: UserId,
    content: &[u8],
    digest: &[u8],
) -> Result<Scan> {
    let mut days = Vec::new();
    for metrics in table::read(content)? {
        days.push(body::keep_scan(app, db, user, metrics).await?);
    }
    let uploaded_at = app.clock.now();
    let scan = Scan { id: ScanId::new(), uploaded_at, days };
    store::insert(db, &app.secrets, user, &scan, digest, content).await?;
    users::log_activity(db, user, "body_scanned", uploaded_at).await?;
    Ok(scan)
}

async fn taken_in(app: &App, db: &mut PgConnection, user: UserId, scan: Scan) -> Result<TakenIn> {
    let first_and_last = scan.days.iter().min().zip(scan.days.iter().max());
    let mut entries = match first_and_last {
        Some((from, until)) => body::scans(app, db, user, *from, *until).await?,
        None => Vec::new(),
    };
    entries.retain(|entry| entry.metrics.measured_on.is_some_and(|day| scan.days.contains(&day)));
    Ok(TakenIn { id: scan.id, uploaded_at: scan.uploaded_at, items: entries })
}
