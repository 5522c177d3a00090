//! `/users/body-metrics/{id}`: change and delete an entry.

use super::model::{Entry, Metrics};
use super::{check, one, photo_store, photos, store};
use crate::app::App;
use crate::domains::accounts;
use crate::http::{Caller, Error, Json, OnConstraint, Patch, Path, Problem, Result};
use crate::ids::BodyMetricsId;
use axum::extract::State;
use axum::http::StatusCode;

/// Change an entry; what is left out stays, null clears.
#[utoipa::path(put, path = "/users/body-metrics/{id}", tag = "body",
    params(("id" = BodyMetricsId, Path, description = "Id of the entry")),
    security(("bearer" = ["write:progress"])), request_body = Metrics, responses(
    (status = 200, body = Entry),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`day_taken`: the day that it is moved to has an entry")))]
pub async fn update_body_metrics(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<BodyMetricsId>,
    patch: Patch<Metrics>,
) -> Result<Json<Entry>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    accounts::hold(&mut tx, caller.user).await?;
    let present = one(&app, &mut tx, caller.user, id).await?;
    let metrics = check(patch.applied_to(&present.metrics)?, now)?;
    let updated = store::update(&mut tx, &app.secrets, id, &metrics, now).await;
    updated
        .map_err(Error::from)
        .on_constraint("body_metrics_day_key", || Error::Conflict("day_taken"))?;
    let entry = one(&app, &mut tx, caller.user, id).await?;
    tx.commit().await?;
    Ok(Json(entry))
}

/// Delete an entry with its pictures.
#[utoipa::path(delete, path = "/users/body-metrics/{id}", tag = "body",
    params(("id" = BodyMetricsId, Path, description = "Id of the entry")),
    security(("bearer" = ["write:progress"])), responses((status = 204)))]
pub async fn delete_body_metrics(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<BodyMetricsId>,
) -> Result<StatusCode> {
    let mut tx = app.db.begin().await?;
    one(&app, &mut tx, caller.user, id).await?;
    let photos = photo_store::take(&mut tx, id, None).await?;
    store::delete(&mut tx, caller.user, id).await?;
    tx.commit().await?;
    photos::discard_all(&app, caller.user, &photos).await;
    Ok(StatusCode::NO_CONTENT)
}
