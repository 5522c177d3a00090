//! `/machines/maintenance` and `/admin/machine-reports`: what people say about machines, and staff putting them out of use
//! and back.

use super::condition::{self, Word};
use super::model::Machine;
use super::report_store::{self as store, NewReport, Report, Severity, Source};
use super::sight::Sight;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::accounts::text_block;
use crate::http::{
    Caller, Error, IfNoneMatch, Json, Origin, Page, PageQuery, Permission, Problem, Query, Result,
    Valid,
};
use crate::ids::{BranchId, DeviceId, MachineReportId};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::Duration;
use utoipa::{IntoParams, ToSchema};

/// What is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Say that something is wrong; everybody may who sees the machine.
    #[default]
    Report,
    /// Put it out of use; for staff.
    Set,
    /// Put it back into use, since it was looked after; for staff.
    Clear,
}

/// What is said about a machine.
#[derive(Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    #[garde(skip)]
    machine_id: DeviceId,
    #[garde(skip)]
    #[serde(default)]
    #[schema(inline)]
    action: Action,
    #[garde(skip)]
    #[serde(default = "warning")]
    #[schema(inline)]
    severity: Severity,
    /// What is wrong, or what was found and done.
    #[garde(length(chars, min = 1, max = 500), custom(text_block))]
    #[schema(min_length = 1, max_length = 500, example = "the belt slips")]
    message: String,
    /// With `clear`: it was serviced, and its next service counts from now.
    #[garde(skip)]
    #[serde(default)]
    is_serviced: bool,
}

fn warning() -> Severity {
    Severity::Warning
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct MaintenanceAnswer {
    /// What is on the list of staff now; null after `clear`.
    report_id: Option<MachineReportId>,
    is_out_of_use: bool,
}

/// Report that something is wrong with a machine; for staff also put it out of use, and back.
///
/// When several members (`machines.reports_before_out_of_use`) report a fault within a day, the machine is out of use
/// until staff have looked. Its branch is told.
#[utoipa::path(post, path = "/machines/maintenance", tag = "machines",
    security(("bearer" = ["write:workouts"])), request_body = Maintenance,
    extensions(("x-rate-limit" = json!({"limit": 60, "window_s": 3600}))), responses(
    (status = 201, body = MaintenanceAnswer),
    (status = 403, body = Problem, content_type = "application/problem+json",
     description = "`forbidden`: `set` and `clear` are for staff of the branch"),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`already_reported`: the caller has, and nobody has looked after it yet")))]
pub async fn report_maintenance(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Valid(said): Valid<Maintenance>,
) -> Result<(StatusCode, Json<MaintenanceAnswer>)> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let sight = Sight::of(&mut tx, &caller, now).await?;
    let machine = super::store::by_id(&mut tx, sight.scope(), said.machine_id).await?;
    let machine = machine.ok_or(Error::NotFound)?;
    let is_staff = caller.has(Permission::WriteMachines)
        && (caller.is_admin() || caller.branches.contains(&machine.branch_id));
    if said.action != Action::Report && !is_staff {
        return Err(Error::Forbidden);
    }
    let said = Said { app: &app, caller: &caller, machine: &machine, words: &said, is_staff };
    let (action, report_id) = match said.words.action {
        Action::Report => ("machine.reported", Some(said.report(&mut tx).await?)),
        Action::Set => ("machine.out_of_use", Some(said.set(&mut tx).await?)),
        Action::Clear => {
            said.clear(&mut tx).await?;
            ("machine.in_use_again", None)
        }
    };
    let entry = Entry::asked(action, &caller, &origin).on(machine.id);
    audit::record(&mut tx, &entry, now).await?;
    let is_out_of_use = super::beat_store::condition(&mut tx, machine.id).await?.0;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(MaintenanceAnswer { report_id, is_out_of_use })))
}

struct Said<'a> {
    app: &'a App,
    caller: &'a Caller,
    machine: &'a Machine,
    words: &'a Maintenance,
    is_staff: bool,
}

impl Said<'_> {
    async fn report(&self, db: &mut PgConnection) -> Result<MachineReportId> {
        let machine = self.machine.id;
        crate::domains::devices::hold(db, machine).await?;
        if !self.is_staff && store::has_open(db, machine, self.caller.user).await? {
            return Err(Error::Conflict("already_reported"));
        }
        let id = self.insert(db, self.words.severity).await?;
        let since = self.app.clock.now() - Duration::DAY;
        let enough = i64::from(self.app.config.machines.reports_before_out_of_use);
        if !self.is_staff
            && self.words.severity == Severity::Fault
            && store::members_with_fault(db, machine, since).await? >= enough
        {
            self.put(db, true, Some("reported by members")).await?;
        }
        Ok(id)
    }

    async fn set(&self, db: &mut PgConnection) -> Result<MachineReportId> {
        let id = self.insert(db, Severity::Fault).await?;
        self.put(db, true, Some(&self.words.message)).await?;
        Ok(id)
    }

    async fn clear(&self, db: &mut PgConnection) -> Result<()> {
        let (machine, now) = (self.machine.id, self.app.clock.now());
        store::close(db, machine, self.caller.user, Some(&self.words.message), now).await?;
        if self.words.is_serviced {
            store::serviced(db, machine, now).await?;
        }
        self.put(db, false, None).await
    }

    async fn insert(&self, db: &mut PgConnection, severity: Severity) -> Result<MachineReportId> {
        let new = NewReport {
            branch: self.machine.branch_id,
            machine: self.machine.id,
            source: if self.is_staff { Source::Staff } else { Source::Member },
            user: Some(self.caller.user),
            severity,
            code: None,
            message: &self.words.message,
        };
        Ok(store::insert(db, &new, self.app.clock.now()).await?)
    }

    async fn put(&self, db: &mut PgConnection, is_out: bool, reason: Option<&str>) -> Result<()> {
        let (branch, machine) = (self.machine.branch_id, self.machine.id);
        // Of members the branch hears only that there were some.
        let by = self.is_staff.then_some(self.caller.user);
        let word = Word { branch, machine, is_out, reason, by };
        Ok(condition::say(db, &word, &self.app.clock).await?)
    }
}

/// Which reports.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct ReportFilter {
    /// Of this branch only.
    #[garde(skip)]
    pub branch_id: Option<BranchId>,
    /// About this machine only.
    #[garde(skip)]
    pub machine_id: Option<DeviceId>,
    /// Only those that nobody has looked after (`true`), or that somebody has (`false`).
    #[garde(skip)]
    pub open: Option<bool>,
}

/// List what was reported about machines of the caller's branches, by people and by machines, the newest first.
#[utoipa::path(get, path = "/admin/machine-reports", tag = "machines",
    params(ReportFilter, PageQuery), security(("bearer" = ["read:machines"])), responses(
    (status = 200, body = Page<Report>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_machine_reports(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<ReportFilter>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let wanted = store::Wanted {
        branch: filter.branch_id,
        machine: filter.machine_id,
        is_open: filter.open,
        before: page.after()?,
        rows: page.rows(),
    };
    let found = store::list(&mut *app.db.acquire().await?, caller.scope(), &wanted).await?;
    known.answer(&Page::cut(found, &page, |report| (report.created_at, report.id)))
}
