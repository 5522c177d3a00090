//! `/workouts/machine`: what the caller did at machines.

use super::erase;
use super::model::{MachineRecord, MachineWorkout, MachineWorkoutDetail};
use super::read_store::{self as store, Wanted};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::members;
use crate::http::{Caller, Error, IfNoneMatch, Origin, Page, PageQuery, Path, Query, Result};
use crate::ids::{BranchId, MemberId};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::IntoParams;
use uuid::Uuid;

/// Which workouts.
#[derive(Debug, Default, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct WorkoutFilter {
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
    /// At this branch only.
    #[garde(skip)]
    pub branch_id: Option<BranchId>,
}

/// List what the caller did at machines, one workout a stay, the newest first.
#[utoipa::path(get, path = "/workouts/machine", tag = "workouts", params(WorkoutFilter, PageQuery),
    security(("bearer" = ["read:workouts"])), responses(
    (status = 200, body = Page<MachineWorkout>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_machine_workouts(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<WorkoutFilter>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let before = page.after()?;
    let mut db = app.db.acquire().await?;
    let member = members::of_user(&mut db, caller.organization, caller.user).await?;
    let (branch, from, to) = (filter.branch_id, filter.from, filter.to);
    let member = member.map(|member| member.id);
    let wanted = Wanted { member, branch, from, to, before, rows: page.rows() };
    let workouts = store::own(&mut db, wanted).await?;
    known.answer(&Page::cut(workouts, &page, |workout| (workout.started_at, workout.id)))
}

/// Read a workout at machines with its exercises, sets and heart rate zones.
#[utoipa::path(get, path = "/workouts/machine/{id}", tag = "workouts",
    params(("id" = Uuid, Path, description = "Id of the workout")),
    security(("bearer" = ["read:workouts"])), responses(
    (status = 200, body = MachineWorkoutDetail),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_machine_workout(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    let (workout, _) = own(&mut db, &caller, id).await?;
    let exercises = store::exercises(&mut db, id).await?;
    known.answer(&MachineWorkoutDetail { workout, exercises })
}

/// A workout of the caller.
async fn own(
    db: &mut PgConnection,
    caller: &Caller,
    id: Uuid,
) -> Result<(MachineWorkout, MemberId)> {
    let member = members::of_user(db, caller.organization, caller.user).await?;
    let member = member.ok_or(Error::NotFound)?.id;
    let workout = store::by_id(db, id).await?.filter(|workout| workout.member_id == member);
    Ok((workout.ok_or(Error::NotFound)?, member))
}

/// Erase the heart rates of a workout: of its summary at once, of what machines measured within a minute or so, for good.
#[utoipa::path(delete, path = "/workouts/machine/{id}/heart-rate", tag = "workouts",
    params(("id" = Uuid, Path, description = "Id of the workout")),
    security(("bearer" = ["write:workouts"])), responses((status = 204)))]
pub async fn erase_heart_rate(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<Uuid>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let (_, member) = own(&mut tx, &caller, id).await?;
    erase::of_workout(&mut tx, member, id, now).await?;
    let entry = Entry::asked("heart_rate.erased", &caller, &origin).on(id);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which records.
#[derive(Debug, Default, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct RecordFilter {
    /// Of this exercise only, as workouts call it.
    #[garde(inner(length(chars, max = 200)))]
    #[param(max_length = 200)]
    pub exercise: Option<String>,
}

/// List the personal records of the caller.
#[utoipa::path(get, path = "/workouts/machine/records", tag = "workouts", params(RecordFilter),
    security(("bearer" = ["read:progress"])), responses(
    (status = 200, body = Page<MachineRecord>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_machine_records(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<RecordFilter>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    let Some(member) = members::of_user(&mut db, caller.organization, caller.user).await? else {
        return known.answer(&Page::<MachineRecord>::whole(Vec::new()));
    };
    let records = store::records(&mut db, member.id, filter.exercise.as_deref()).await?;
    known.answer(&Page::whole(records))
}
