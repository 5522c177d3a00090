//! `/machines/{id}/performance`: how much a machine is used, waited for and out of reach, and whether it wants service.

use super::performance_store as store;
use crate::app::App;
use crate::domains::branches;
use crate::http::{Caller, Error, IfNoneMatch, Path, Query, Result};
use crate::ids::DeviceId;
use crate::jobs::Job;
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use time::{Date, Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};

time::serde::format_description!(day, Date, "[year]-[month]-[day]");

/// Which days, those of the branch.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct PerformanceQuery {
    /// The first day. By default 29 days before the last.
    #[garde(skip)]
    #[serde(default, with = "day::option")]
    #[param(value_type = Option<String>, format = Date, example = "2026-11-01")]
    pub from: Option<Date>,
    /// The last day. By default today.
    #[garde(skip)]
    #[serde(default, with = "day::option")]
    #[param(value_type = Option<String>, format = Date, example = "2026-11-30")]
    pub to: Option<Date>,
}

/// What became of a machine on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MachineDay {
    #[serde(with = "day")]
    #[schema(value_type = String, format = Date, example = "2026-11-20")]
    pub day: Date,
    /// How often somebody took it.
    pub sessions: i32,
    pub used_s: i32,
    /// Who waited and got it.
    pub waits: i32,
    pub wait_s: i32,
    /// Not connected.
    pub offline_s: i32,
    /// Broken, in its own words.
    pub out_of_order_s: i32,
}

/// All of it together.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Performance {
    pub sessions: i64,
    pub used_s: i64,
    #[schema(example = 900)]
    pub average_use_s: i64,
    pub waits: i64,
    #[schema(example = 240)]
    pub average_wait_s: i64,
    pub offline_s: i64,
    pub out_of_order_s: i64,
    /// Of the time that has passed, how much it was neither offline nor out of order.
    #[schema(example = 99.5)]
    pub uptime_pct: f64,
}

/// Whether it wants service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Service {
    /// Null if it never had.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_at: Option<OffsetDateTime>,
    /// Hours of use since, or since it was registered.
    #[schema(example = 480)]
    pub used_h_since: i64,
    #[schema(example = 170)]
    pub days_since: i64,
    pub is_due: bool,
}

/// How a machine does.
#[derive(Debug, Serialize, ToSchema)]
pub struct MachinePerformance {
    pub machine_id: DeviceId,
    #[serde(with = "day")]
    #[schema(value_type = String, format = Date, example = "2026-11-01")]
    pub from: Date,
    #[serde(with = "day")]
    #[schema(value_type = String, format = Date, example = "2026-11-30")]
    pub to: Date,
    pub total: Performance,
    /// Days on which something happened.
    pub days: Vec<MachineDay>,
    pub service: Service,
}

/// The longest stretch.
const MAX_DAYS: i64 = 400;
const USUAL_DAYS: i64 = 30;

/// Read how much a machine is used, waited for and out of reach, day by day, and whether it wants service.
#[utoipa::path(get, path = "/machines/{id}/performance", tag = "machines",
    params(("id" = DeviceId, Path, description = "Id of the machine"), PerformanceQuery),
    security(("bearer" = ["read:machines"])), responses(
    (status = 200, body = MachinePerformance),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_performance(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<DeviceId>,
    Query(query): Query<PerformanceQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let machine = super::visible(&mut tx, &caller, id).await?;
    sum_up(&mut tx, id, now).await?;
    let today = branches::today(&mut tx, Some(machine.branch_id), now).await?;
    let to = query.to.unwrap_or(today);
    let from = query.from.unwrap_or(to.saturating_sub(Duration::days(USUAL_DAYS - 1)));
    let length = (to - from).whole_days() + 1;
    if !(1..=MAX_DAYS).contains(&length) {
        let message = format!("has to be 0 to {} days before `to`", MAX_DAYS - 1);
        return Err(Error::Field { field: "from", code: "invalid", message });
    }
    let days = store::days(&mut tx, id, from, to).await?;
    let service = store::service(&mut tx, id, now).await?;
    tx.commit().await?;
    let passed = (to.min(today) - from).whole_days() + 1;
    let total = Performance::of(&days, passed.max(0) * 86_400);
    known.answer(&MachinePerformance { machine_id: id, from, to, total, days, service })
}

impl Performance {
    /// Of so many seconds.
    fn of(days: &[MachineDay], passed_s: i64) -> Self {
        let sum = |part: fn(&MachineDay) -> i32| days.iter().map(|day| i64::from(part(day))).sum();
        let (sessions, used_s): (i64, i64) = (sum(|day| day.sessions), sum(|day| day.used_s));
        let (waits, waited_s): (i64, i64) = (sum(|day| day.waits), sum(|day| day.wait_s));
        let offline_s: i64 = sum(|day| day.offline_s);
        let out_of_order_s: i64 = sum(|day| day.out_of_order_s);
        let up_s = (passed_s - offline_s - out_of_order_s).max(0);
        // In hundredths of a percent, which floats hold.
        let uptime = i32::try_from(up_s * 10_000 / passed_s.max(1)).unwrap_or(0);
        Self {
            sessions,
            used_s,
            average_use_s: used_s / sessions.max(1),
            waits,
            average_wait_s: waited_s / waits.max(1),
            offline_s,
            out_of_order_s,
            uptime_pct: f64::from(uptime) / 100.0,
        }
    }
}

/// Sums up what is stale of a machine: late facts change days that are long over.
async fn sum_up(
    db: &mut sqlx::PgConnection,
    machine: DeviceId,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let Some(since) = store::take_stale(db, machine).await? else { return Ok(()) };
    let Some(calendar) = store::calendar(db, machine).await? else { return Ok(()) };
    store::sum_up(db, machine, &calendar, since.min(now), now).await
}

/// Sums up the days of machines that are stale.
#[derive(Debug, Serialize, Deserialize)]
pub struct SumUpMachines;

impl Job for SumUpMachines {
    const KIND: &'static str = "machines.sum_up";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let stale = store::stale(&mut *app.db.acquire().await?).await?;
        for machine in stale {
            let mut tx = app.db.begin().await?;
            sum_up(&mut tx, machine, app.clock.now()).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_time_out_of_reach_leaves_three() {
        let day = MachineDay {
            day: time::macros::date!(2026 - 11 - 20),
            sessions: 4,
            used_s: 3_600,
            waits: 0,
            wait_s: 0,
            offline_s: 20_000,
            out_of_order_s: 1_600,
        };

        let total = Performance::of(&[day], 86_400);

        assert_eq!((total.average_use_s, total.average_wait_s), (900, 0));
        assert!((total.uptime_pct - 75.0).abs() < 0.01, "{}", total.uptime_pct);
    }
}
