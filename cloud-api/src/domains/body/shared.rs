//! `/members/{id}/body`: what a member shares of their body with those who train them. What they do not share is not
//! there; mood and notes never are.

use super::model::{Entry as Measured, day};
use super::photos::Photo;
use super::{Wanted, photo_store, store};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::members;
use crate::domains::users::{self, Category, Sharing, Stats};
use crate::http::{Caller, Error, Json, Origin, Path, Problem, Result};
use crate::ids::{BodyMetricsId, MemberId, UserId};
use axum::extract::State;
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use time::Date;
use utoipa::ToSchema;

/// What a member shares.
#[derive(Debug, Serialize, ToSchema)]
pub struct SharedBody {
    /// The categories that are shared; whatever belongs to others is left out.
    pub shared: Vec<Category>,
    /// The hundred newest entries with something that is shared, the newest first.
    pub items: Vec<SharedEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<SharedHealth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<Stats>,
}

/// What is shared of an entry.
#[derive(Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct SharedEntry {
    #[serde(with = "day::option")]
    #[schema(value_type = Option<String>, format = Date)]
    pub measured_on: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_kg: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height_cm: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_fat_pct: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resting_heart_rate_bpm: Option<i32>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, f64>)]
    pub girths_cm: BTreeMap<String, Option<f64>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, f64>)]
    pub composition: BTreeMap<String, Option<f64>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub photos: Vec<Photo>,
}

/// What is shared of somebody's health.
#[derive(Debug, Serialize, ToSchema)]
pub struct SharedHealth {
    #[schema(example = json!(["asthma"]))]
    pub health_conditions: Vec<String>,
    #[schema(example = json!(["peanuts"]))]
    pub allergies: Vec<String>,
}

/// Read what a member shares of their body, training and health. That it was read is written down.
#[utoipa::path(get, path = "/members/{id}/body", tag = "members",
    params(("id" = MemberId, Path, description = "Id of the member")),
    security(("bearer" = ["read:members"])), responses(
    (status = 200, body = SharedBody),
    (status = 403, body = Problem, content_type = "application/problem+json",
     description = "`not_shared`: they share nothing")))]
pub async fn read_shared_body(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<MemberId>,
) -> Result<Json<SharedBody>> {
    let mut tx = app.db.begin().await?;
    let member = members::visible(&mut tx, &caller, id).await?;
    let user = member.user_id.ok_or(Error::Barred("not_shared"))?;
    let sharing = users::sharing_with(&mut tx, &caller, user).await?;
    let shared = sharing.shown();
    if shared.is_empty() {
        return Err(Error::Barred("not_shared"));
    }
    let answer = SharedBody {
        items: entries(&app, &mut tx, user, &sharing).await?,
        health: health(&app, &mut tx, user, &sharing).await?,
        activity: activity(&app, &mut tx, user, &sharing).await?,
        shared,
    };
    let entry = Entry::asked("body.shown", &caller, &origin).on(user);
    let entry = entry.detail(json!({"shared": answer.shared}));
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    tx.commit().await?;
    Ok(Json(answer))
}

async fn entries(
    app: &App,
    db: &mut PgConnection,
    user: UserId,
    sharing: &Sharing,
) -> Result<Vec<SharedEntry>> {
    let wanted = Wanted { rows: MAX_ENTRIES, ..Wanted::default() };
    let entries = store::list(db, &app.secrets, user, wanted).await?;
    let mut photos: BTreeMap<BodyMetricsId, Vec<Photo>> = BTreeMap::new();
    if sharing.shows(Category::Photos) {
        let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
        for (entry, photo) in photo_store::of_entries(db, &ids).await? {
            photos.entry(entry).or_default().push(photo);
        }
    }
    let shown = entries.into_iter().map(|entry| {
        let photos = photos.remove(&entry.id).unwrap_or_default();
        SharedEntry { photos, ..masked(entry, sharing) }
    });
    let plain = |entry: &SharedEntry| SharedEntry {
        measured_on: entry.measured_on,
        ..SharedEntry::default()
    };
    Ok(shown.filter(|entry| *entry != plain(entry)).collect())
}

const MAX_ENTRIES: i64 = 100;

fn masked(entry: Measured, sharing: &Sharing) -> SharedEntry {
    let metrics = entry.metrics;
    let mut shown = SharedEntry { measured_on: metrics.measured_on, ..SharedEntry::default() };
    if sharing.shows(Category::Weight) {
        shown.weight_kg = metrics.weight_kg;
    }
    if sharing.shows(Category::Composition) {
        shown.body_fat_pct = metrics.body_fat_pct;
        shown.composition = metrics.composition;
    }
    if sharing.shows(Category::Measurements) {
        shown.height_cm = metrics.height_cm;
        shown.girths_cm = metrics.girths_cm;
    }
    if sharing.shows(Category::Health) {
        shown.resting_heart_rate_bpm = metrics.resting_heart_rate_bpm;
    }
    shown
}

async fn health(
    app: &App,
    db: &mut PgConnection,
    user: UserId,
    sharing: &Sharing,
) -> Result<Option<SharedHealth>> {
    if !sharing.shows(Category::Health) {
        return Ok(None);
    }
    Ok(Some(SharedHealth {
        health_conditions: users::fitness_profile(app, db, user).await?.health_conditions,
        allergies: users::diet_preferences(app, db, user).await?.allergies,
    }))
}

async fn activity(
    app: &App,
    db: &mut PgConnection,
    user: UserId,
    sharing: &Sharing,
) -> Result<Option<Stats>> {
    if !sharing.shows(Category::Activity) {
        return Ok(None);
    }
    Ok(Some(users::stats(db, user, app.clock.now()).await?))
}
