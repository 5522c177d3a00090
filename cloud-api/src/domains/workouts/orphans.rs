//! `/admin/workout-orphans`: work at machines that nobody had taken, and what staff decide about it.

use super::orphan_store::{self as store, Decision};
use super::stale;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::members;
use crate::http::{
    Caller, Error, IdempotencyKey, IfNoneMatch, Json, Origin, Page, PageQuery, Path, Problem,
    Query, Result, Valid,
};
use crate::ids::{BranchId, DeviceId, MemberId};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Work that is nobody's.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkoutOrphan {
    pub id: Uuid,
    pub branch_id: BranchId,
    pub machine_id: DeviceId,
    #[schema(example = "Leg press 1")]
    pub machine_name: String,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub ended_at: OffsetDateTime,
    #[schema(example = 3)]
    pub sets: i32,
    #[schema(example = 30)]
    pub reps: i32,
    pub max_weight_kg: Option<f64>,
    #[schema(example = 0.0)]
    pub distance_m: f64,
    #[schema(example = 0.0)]
    pub energy_kcal: f64,
}

/// Which orphans.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct OrphanFilter {
    /// Of this branch only.
    #[garde(skip)]
    pub branch_id: Option<BranchId>,
}

/// List work at machines that nobody had taken, the newest first. What somebody turns out to have done goes away by itself.
#[utoipa::path(get, path = "/admin/workout-orphans", tag = "workouts", params(OrphanFilter, PageQuery),
    security(("bearer" = ["read:members"])), responses(
    (status = 200, body = Page<WorkoutOrphan>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_workout_orphans(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<OrphanFilter>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let (scope, before) = (caller.scope(), page.after()?);
    let mut db = app.db.acquire().await?;
    let found = store::list(&mut db, scope, filter.branch_id, before, page.rows()).await?;
    known.answer(&Page::cut(found, &page, |orphan| (orphan.started_at, orphan.id)))
}

/// Whose it was: one of both.
#[derive(Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// It is attached to the stay in which they were inside then, if there is one.
    #[garde(skip)]
    pub member_id: Option<MemberId>,
    /// A stay at the same branch.
    #[garde(skip)]
    pub session_id: Option<Uuid>,
}

/// Which workout it belongs to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Assigned {
    pub workout_id: Uuid,
    pub member_id: MemberId,
}

/// Say whose work it was. What comes later for the same stretch is theirs too, unless somebody had taken the machine.
#[utoipa::path(post, path = "/admin/workout-orphans/{id}/assign", tag = "workouts",
    params(("id" = Uuid, Path, description = "Id of the orphan"), IdempotencyKey),
    security(("bearer" = ["write:members"])), request_body = Assignment, responses(
    (status = 200, body = Assigned),
    (status = 404, body = Problem, content_type = "application/problem+json",
     description = "`not_found`: no such orphan (any more), member or stay in sight")))]
pub async fn assign_workout_orphan(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<Uuid>,
    Valid(wanted): Valid<Assignment>,
) -> Result<Json<Assigned>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let orphan = store::take(&mut tx, caller.scope(), id).await?.ok_or(Error::NotFound)?;
    let owner = match (wanted.member_id, wanted.session_id) {
        (Some(member), None) => (members::visible(&mut tx, &caller, member).await?.id, None),
        (None, Some(session)) => {
            let member = store::member_of_stay(&mut tx, orphan.branch_id, session).await?;
            (member.ok_or(Error::NotFound)?, Some(session))
        }
        _ => {
            let message = "either member_id or session_id is needed".to_owned();
            return Err(Error::Field { field: "member_id", code: "required", message });
        }
    };
    let decision = Decision { id: Uuid::now_v7(), owner: Some(owner), by: caller.user, at: now };
    store::decide(&mut tx, &orphan, &decision).await?;
    stale::mark_day(&mut tx, orphan.machine_id, orphan.started_at, now).await?;
    let workout = store::workout_of(&mut tx, decision.id).await?.unwrap_or(decision.id);
    stale::mark(&mut tx, &[workout], now).await?;
    let entry = Entry::asked("workout_orphan.assigned", &caller, &origin).on(id);
    let detail = json!({"member_id": owner.0, "machine_id": orphan.machine_id});
    audit::record(&mut tx, &entry.detail(detail), now).await?;
    tx.commit().await?;
    Ok(Json(Assigned { workout_id: workout, member_id: owner.0 }))
}

/// Say that it counts for nobody.
#[utoipa::path(post, path = "/admin/workout-orphans/{id}/discard", tag = "workouts",
    params(("id" = Uuid, Path, description = "Id of the orphan"), IdempotencyKey),
    security(("bearer" = ["write:members"])), responses(
    (status = 204),
    (status = 404, body = Problem, content_type = "application/problem+json",
     description = "`not_found`: no such orphan (any more) in sight")))]
pub async fn discard_workout_orphan(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<Uuid>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let orphan = store::take(&mut tx, caller.scope(), id).await?.ok_or(Error::NotFound)?;
    let decision = Decision { id: Uuid::now_v7(), owner: None, by: caller.user, at: now };
    store::decide(&mut tx, &orphan, &decision).await?;
    stale::mark_day(&mut tx, orphan.machine_id, orphan.started_at, now).await?;
    let entry = Entry::asked("workout_orphan.discarded", &caller, &origin).on(id);
    let detail = json!({"machine_id": orphan.machine_id});
    audit::record(&mut tx, &entry.detail(detail), now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
