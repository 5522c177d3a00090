//! `/users/upload-avatar` and `/users/avatar`: the own picture.

use super::picture::{self, PictureRefused, Shape};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::files::{self, FileKind, NewFile};
use crate::http::{Caller, Json, Origin, Result, Upload};
use crate::ids::FileId;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// A picture as it is sent, as `multipart/form-data`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "for the API document only")]
pub struct PictureUpload {
    /// A JPEG, PNG or WebP of 5 MiB at most.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// The picture that was made of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Avatar {
    /// For `GET /files/{id}`.
    pub id: FileId,
    /// Sizes there are: `large` (512 × 512) and `small` (96 × 96), both JPEG.
    #[schema(example = json!(["large", "small"]))]
    pub variants: Vec<&'static str>,
}

/// Upload a picture of oneself, in place of the former one. It is cut square and made anew: nothing of what cameras
/// write into files is kept.
#[utoipa::path(post, path = "/users/upload-avatar", tag = "users",
    security(("bearer" = ["write:profile"])),
    request_body(content = PictureUpload, content_type = "multipart/form-data"),
    extensions(("x-rate-limit" = json!({"limit": 30, "window_s": 3600}))),
    responses(
    (status = 201, body = Avatar), PictureRefused))]
pub async fn upload_avatar(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    upload: Upload,
) -> Result<(StatusCode, Json<Avatar>)> {
    let pictures = picture::of_upload(upload, Shape::Square).await?;
    let now = app.clock.now();
    let new = NewFile { kind: FileKind::Avatar, content_type: "image/jpeg", expires_at: None };
    let variants = pictures.iter().map(|(variant, _)| *variant).collect();
    let former = files::avatar_of(&mut *app.db.acquire().await?, caller.user).await?;
    let id = files::put(&app, caller.user, pictures).await?;
    let mut tx = app.db.begin().await?;
    files::replace_avatar(&mut tx, id, caller.user, &new, now).await?;
    let entry = Entry::asked("avatar.changed", &caller, &origin).on(id);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    app.forget(caller.user);
    if let Some(former) = former {
        files::discard(&app, caller.user, former).await;
    }
    Ok((StatusCode::CREATED, Json(Avatar { id, variants })))
}

/// Remove the picture of oneself.
#[utoipa::path(delete, path = "/users/avatar", tag = "users",
    security(("bearer" = ["write:profile"])), responses((status = 204)))]
pub async fn remove_avatar(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if let Some(former) = files::avatar_of(&mut tx, caller.user).await? {
        files::forget(&mut tx, former).await?;
        let entry = Entry::asked("avatar.removed", &caller, &origin).on(former);
        audit::record(&mut tx, &entry, now).await?;
        tx.commit().await?;
        app.forget(caller.user);
        files::discard(&app, caller.user, former).await;
    }
    Ok(StatusCode::NO_CONTENT)
}
