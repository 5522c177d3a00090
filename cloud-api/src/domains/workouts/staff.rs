//! `/admin/workouts/machine`: what members did at the branches of who looks at it, without heart rates.

use super::model::{MachineWorkout, MachineWorkoutDetail};
use super::read_store::{self as store, Wanted};
use crate::app::App;
use crate::http::{Caller, Error, IfNoneMatch, Page, PageQuery, Path, Query, Result};
use crate::ids::{BranchId, MemberId};
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::IntoParams;
use uuid::Uuid;

/// Which workouts.
#[derive(Debug, Default, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct BranchWorkoutFilter {
    /// At this branch only.
    #[garde(skip)]
    pub branch_id: Option<BranchId>,
    /// Of this member only.
    #[garde(skip)]
    pub member_id: Option<MemberId>,
    /// Begun at this moment or later.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<OffsetDateTime>,
    /// Begun before this moment.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<OffsetDateTime>,
}

/// List what members did at machines of the caller's branches, the newest first. Heart rates are the members' own.
#[utoipa::path(get, path = "/admin/workouts/machine", tag = "workouts",
    params(BranchWorkoutFilter, PageQuery), security(("bearer" = ["read:members"])), responses(
    (status = 200, body = Page<MachineWorkout>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_branch_workouts(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<BranchWorkoutFilter>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let BranchWorkoutFilter { branch_id, member_id, from, to } = filter;
    let (before, rows) = (page.after()?, page.rows());
    let wanted = Wanted { member: member_id, branch: branch_id, from, to, before, rows };
    let mut db = app.db.acquire().await?;
    let workouts = store::of_branches(&mut db, caller.scope(), wanted).await?;
    known.answer(&Page::cut(workouts, &page, |workout| (workout.started_at, workout.id)))
}

/// Read a workout at machines of one of the caller's branches, without heart rates.
#[utoipa::path(get, path = "/admin/workouts/machine/{id}", tag = "workouts",
    params(("id" = Uuid, Path, description = "Id of the workout")),
    security(("bearer" = ["read:members"])), responses(
    (status = 200, body = MachineWorkoutDetail),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_branch_workout(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    let workout = store::by_id(&mut db, id).await?.ok_or(Error::NotFound)?;
    if !store::is_in(&mut db, caller.scope(), workout.branch_id).await? {
        return Err(Error::NotFound);
    }
    let exercises = store::exercises(&mut db, id).await?;
    known.answer(&MachineWorkoutDetail { workout, exercises }.without_hearts())
}
