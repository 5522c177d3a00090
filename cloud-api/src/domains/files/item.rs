//! `/files/{id}`: a link to a file.

use super::model::FileKind;
use super::{link, store};
use crate::app::App;
use crate::domains::{body, users};
use crate::http::{Caller, Error, Origin, Path, Query, Result};
use crate::ids::FileId;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which form of a file.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct Form {
    /// Of pictures: `large` (also where none is named) or `small`.
    #[garde(length(bytes, min = 1, max = 20))]
    #[param(min_length = 1, max_length = 20)]
    pub variant: Option<String>,
}

/// Get a link to the content of a file. A picture of somebody is seen by whoever sees their profile, one of their
/// body by whom they share it with, everything else by its owner only.
#[utoipa::path(get, path = "/files/{id}", tag = "files",
    params(("id" = FileId, Path, description = "Id of the file"), Form),
    security(("bearer" = ["read:profile"])), responses(
    (status = 307, description = "the content is at `Location` for five minutes, without a token")))]
pub async fn read_file(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<FileId>,
    Query(form): Query<Form>,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    let file = store::by_id(&mut db, id, app.clock.now()).await?.ok_or(Error::NotFound)?;
    let is_seen = match file.kind {
        FileKind::Avatar => users::sees(&mut db, &caller, file.owner).await?,
        FileKind::Export => file.owner == caller.user,
        FileKind::BodyPhoto => body::shows_photo(&app, &mut db, &caller, &origin, &file).await?,
    };
    let variants = file.kind.variants();
    let wanted = form.variant.as_deref().or(variants.first().copied()).unwrap_or_default();
    if !is_seen || !variants.contains(&wanted) {
        return Err(Error::NotFound);
    }
    let to = link::signed_link(&app, id, wanted)?;
    let headers = [(header::LOCATION, to), (header::CACHE_CONTROL, "private, no-store".into())];
    Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}
