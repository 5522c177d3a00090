//! `/files/{id}/content`: what a signed link leads to.

use super::model::FileKind;
use super::{content, link, store};
use crate::app::App;
use crate::http::{Error, Path, Query, Result};
use crate::ids::FileId;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

/// What stands in a link.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct Signed {
    #[garde(length(bytes, min = 1, max = 20))]
    #[param(min_length = 1, max_length = 20, example = "large")]
    pub variant: String,
    /// Unix seconds.
    #[garde(skip)]
    #[param(example = 1_900_000_000)]
    pub until: i64,
    /// Number of the key that signed.
    #[garde(skip)]
    #[param(example = 1)]
    pub key: u16,
    #[garde(length(bytes, min = 1, max = 100))]
    #[param(min_length = 1, max_length = 100)]
    pub signature: String,
}

/// Read the content of a file by a link that `GET /files/{id}` gave.
#[utoipa::path(get, path = "/files/{id}/content", tag = "files", security(()),
    params(("id" = FileId, Path, description = "Id of the file"), Signed), responses(
    (status = 200, content_type = "application/octet-stream", body = Vec<u8>,
     description = "the content, with its own type")))]
pub async fn read_file_content(
    State(app): State<App>,
    Path(id): Path<FileId>,
    Query(signed): Query<Signed>,
) -> Result<Response> {
    let found = store::by_id(&mut *app.db.acquire().await?, id, app.clock.now()).await?;
    let file = found.ok_or(Error::NotFound)?;
    let variant = signed.variant.as_str();
    link::check(&app, &file, variant, signed.until, signed.key, &signed.signature)?;
    let bytes = content(&app, file.owner, id, variant).await?.ok_or(Error::NotFound)?;
    // An id never gets another content.
    let (keep, disposition) = match file.kind {
        FileKind::Avatar => ("private, max-age=86400, immutable", "inline"),
        FileKind::BodyPhoto => ("no-store", "inline"),
        FileKind::Export => ("no-store", "attachment; filename=\"export.zip\""),
    };
    let headers = [
        (header::CONTENT_TYPE, file.content_type.as_str()),
        (header::CACHE_CONTROL, keep),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, bytes).into_response())
}
