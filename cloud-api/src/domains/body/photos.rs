//! `/users/body-metrics/{id}/photos`: pictures of oneself on a day, from the front, the side and the back. Nobody else
//! sees them until their owner shares them.

use super::{one, photo_store};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::accounts;
use crate::domains::files::{self, File, FileKind, NewFile};
use crate::domains::users::picture::{self, PictureRefused, Shape};
use crate::domains::users::{self, Category, PictureUpload};
use crate::http::{
    Caller, Error, IfNoneMatch, Json, Origin, Page, Path, Problem, Query, Result, Upload,
};
use crate::ids::{BodyMetricsId, FileId, UserId};
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

/// From where a picture was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Pose {
    Front,
    Side,
    Back,
}

impl Pose {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::Side => "side",
            Self::Back => "back",
        }
    }
}

/// A picture of a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Photo {
    /// For `GET /files/{id}`.
    pub id: FileId,
    #[schema(inline)]
    pub pose: Pose,
    /// Sizes there are: `large` (1280 at most) and `small` (320 at most), both JPEG.
    #[schema(value_type = Vec<String>, example = json!(["large", "small"]))]
    pub variants: &'static [&'static str],
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl Photo {
    pub fn new(id: FileId, pose: Pose, created_at: OffsetDateTime) -> Self {
        Self { id, pose, variants: FileKind::BodyPhoto.variants(), created_at }
    }
}

/// Which picture.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct ThePose {
    #[garde(skip)]
    #[param(inline)]
    pub pose: Pose,
}

/// Which pictures.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct AnyPose {
    /// Only this one; left out, all of the entry.
    #[garde(skip)]
    #[param(inline)]
    pub pose: Option<Pose>,
}

/// List the pictures of an entry.
#[utoipa::path(get, path = "/users/body-metrics/{id}/photos", tag = "body",
    params(("id" = BodyMetricsId, Path, description = "Id of the entry")),
    security(("bearer" = ["read:progress"])), responses(
    (status = 200, body = Page<Photo>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_body_photos(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<BodyMetricsId>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    one(&app, &mut db, caller.user, id).await?;
    let photos = photo_store::of_entries(&mut db, &[id]).await?.into_iter();
    known.answer(&Page::whole(photos.map(|(_, photo)| photo).collect()))
}

/// Add a picture to an entry, in place of a former one from there. It is made anew: nothing of what cameras write into
/// files is kept. Only its owner sees it, and whom they share their photos with (`/users/visibility`).
#[utoipa::path(post, path = "/users/body-metrics/{id}/photos", tag = "body",
    params(("id" = BodyMetricsId, Path, description = "Id of the entry"), ThePose),
    security(("bearer" = ["write:progress"])),
    request_body(content = PictureUpload, content_type = "multipart/form-data"),
    extensions(("x-rate-limit" = json!({"limit": 60, "window_s": 3600}))),
    responses(
    (status = 201, body = Photo),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`too_many_photos`: 200 are kept"),
    PictureRefused))]
pub async fn add_body_photo(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<BodyMetricsId>,
    Query(wanted): Query<ThePose>,
    request: Request,
) -> Result<(StatusCode, Json<Photo>)> {
    let (user, pose, now) = (caller.user, wanted.pose, app.clock.now());
    // What is not there is said before five megabytes are taken.
    one(&app, &mut *app.db.acquire().await?, user, id).await?;
    let upload = Upload::from_request(request, &()).await?;
    let pictures = picture::of_upload(upload, Shape::Whole).await?;
    let file = files::put(&app, user, pictures).await?;
    let mut tx = app.db.begin().await?;
    accounts::hold(&mut tx, user).await?;
    one(&app, &mut tx, user, id).await?;
    let former = photo_store::take(&mut tx, id, Some(pose)).await?;
    if photo_store::count(&mut tx, user).await? >= MAX_PHOTOS {
        files::discard(&app, user, file).await;
        return Err(Error::Conflict("too_many_photos"));
    }
    let new = NewFile { kind: FileKind::BodyPhoto, content_type: "image/jpeg", expires_at: None };
    files::insert(&mut tx, file, user, &new, now).await?;
    photo_store::insert(&mut tx, file, id, pose, now).await?;
    let entry = Entry::asked("body_photo.added", &caller, &origin).on(file);
    audit::record(&mut tx, &entry.detail(json!({"pose": pose})), now).await?;
    tx.commit().await?;
    discard_all(&app, user, &former).await;
    Ok((StatusCode::CREATED, Json(Photo::new(file, pose, now))))
}

/// An archive of all data holds them, in memory while it is made.
const MAX_PHOTOS: i64 = 200;

/// Delete one picture of an entry, or all.
#[utoipa::path(delete, path = "/users/body-metrics/{id}/photos", tag = "body",
    params(("id" = BodyMetricsId, Path, description = "Id of the entry"), AnyPose),
    security(("bearer" = ["write:progress"])), responses((status = 204)))]
pub async fn delete_body_photos(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<BodyMetricsId>,
    Query(wanted): Query<AnyPose>,
) -> Result<StatusCode> {
    let mut tx = app.db.begin().await?;
    one(&app, &mut tx, caller.user, id).await?;
    let gone = photo_store::take(&mut tx, id, wanted.pose).await?;
    if gone.is_empty() {
        return Err(Error::NotFound);
    }
    let entry = Entry::asked("body_photo.removed", &caller, &origin).on(id);
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    tx.commit().await?;
    discard_all(&app, caller.user, &gone).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes pictures out of the store whose rows are gone.
pub async fn discard_all(app: &App, owner: UserId, gone: &[FileId]) {
    for file in gone {
        files::discard(app, owner, *file).await;
    }
}

/// Whether a caller may see a picture. That others looked is written down.
pub async fn shows_photo(
    app: &App,
    db: &mut PgConnection,
    caller: &Caller,
    origin: &Origin,
    file: &File,
) -> Result<bool> {
    if file.owner == caller.user {
        return Ok(true);
    }
    if !users::sharing_with(db, caller, file.owner).await?.shows(Category::Photos) {
        return Ok(false);
    }
    let entry = Entry::asked("body_photo.shown", caller, origin).on(file.id);
    audit::record(db, &entry, app.clock.now()).await?;
    Ok(true)
}
