//! `/machines/{id}/telemetry`: what a machine measured, in steps. Without heart rates: they belong to members.

use super::store;
use crate::app::App;
use crate::domains::telemetry::{self, Every, Point};
use crate::http::{Caller, Error, IfNoneMatch, Path, Problem, Query, Result};
use crate::ids::DeviceId;
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use protocol::machine::{FIELDS, Field};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};

/// Which time, in which steps.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct SeriesQuery {
    /// From when on; left out: an hour, a day or a month before `to`, by the length of the steps.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub from: Option<OffsetDateTime>,
    /// Until when; left out: now.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub to: Option<OffsetDateTime>,
    /// Length of the steps. Of 10 s a day can be asked for at once, of 1 min a week, of 1 h 400 days. Left out: 10 s up to
    /// two hours, 1 min up to two days, else 1 h; without `from` 1 min.
    #[garde(skip)]
    #[serde(default)]
    #[param(inline, required = false)]
    pub every: Option<Step>,
}

/// Length of the steps of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Step {
    #[serde(rename = "10s")]
    TenSeconds,
    #[serde(rename = "1m")]
    Minute,
    #[serde(rename = "1h")]
    Hour,
}

/// What a machine measured.
#[derive(Debug, Serialize, ToSchema)]
pub struct Series {
    pub machine_id: DeviceId,
    pub every: Step,
    /// Start of the first step that was looked for.
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub to: OffsetDateTime,
    /// Steps in which something was measured, in order.
    pub items: Vec<SeriesItem>,
}

/// What a machine measured in one step.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesItem {
    /// Start of the step.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How many samples it is made of.
    pub samples: i32,
    /// By the name of what was measured, with its unit.
    #[schema(example = json!({"speed_mps": {"n": 10, "avg": 2.7, "min": 2.6, "max": 2.8, "last": 2.8},
                              "distance_m": {"n": 10, "gain": 27.1, "last": 1830.4}}))]
    pub values: BTreeMap<&'static str, Statistics>,
}

/// Statistics of one quantity in one step.
#[derive(Debug, Serialize, ToSchema)]
pub struct Statistics {
    /// How many samples had it.
    pub n: i64,
    /// The last value.
    pub last: f64,
    /// Of counters: how much it grew, across resets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain: Option<f64>,
    /// Of others: the mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg: Option<f64>,
    /// Of others: the least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Of others: the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// Read what a machine measured, in steps of 10 s, 1 min or 1 h.
#[utoipa::path(get, path = "/machines/{id}/telemetry", tag = "machines",
    params(("id" = DeviceId, Path, description = "Id of the machine"), SeriesQuery),
    security(("bearer" = ["read:machines"])), responses(
    (status = 200, body = Series),
    (status = 304, description = "the same as what `If-None-Match` names"),
    (status = 404, body = Problem, content_type = "application/problem+json",
     description = "`not_found`, also for machines of branches that the caller does not work at"),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "`validation_failed`: `from` is not before `to`, or too long before it, or before 1970")))]
pub async fn read_machine_telemetry(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<DeviceId>,
    Query(query): Query<SeriesQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let (from, to, every) = query.range(app.clock.now())?;
    let mut db = app.db.acquire().await?;
    let found = store::by_id(&mut db, caller.scope(), id).await?;
    let machine_id = found.ok_or(Error::NotFound)?.id;
    let points = telemetry::series(&mut db, machine_id, from, to, every.into()).await?;
    drop(db);
    let items = points.into_iter().map(SeriesItem::from).collect();
    known.answer(&Series { machine_id, every, from, to, items })
}

impl SeriesQuery {
    /// From the start of a step until `to`, and the steps.
    fn range(&self, now: OffsetDateTime) -> Result<(OffsetDateTime, OffsetDateTime, Step)> {
        let to = self.to.unwrap_or(now);
        let fitting = self.from.map_or(Step::Minute, |from| Step::fitting(to - from));
        let every = self.every.unwrap_or(fitting);
        let from = self.from.or_else(|| to.checked_sub(every.usual_range()));
        let from = from.and_then(|from| every.start(from));
        match from {
            Some(from) if from < OffsetDateTime::UNIX_EPOCH => {
                Err(wrong("must not be before 1970"))
            }
            Some(from) if from >= to => Err(wrong("must be before `to`")),
            Some(from) if to - from <= every.max_range() => Ok((from, to, every)),
            _ => Err(wrong("is too long before `to` for steps of this length")),
        }
    }
}

fn wrong(message: &str) -> Error {
    Error::Field { field: "from", code: "out_of_range", message: message.to_owned() }
}

impl Step {
    /// About 700 steps at most, up to a month.
    fn fitting(span: Duration) -> Self {
        if span <= Duration::hours(2) {
            Self::TenSeconds
        } else if span <= Duration::days(2) {
            Self::Minute
        } else {
            Self::Hour
        }
    }

    /// About as many steps as a chart has room for.
    fn usual_range(self) -> Duration {
        match self {
            Self::TenSeconds => Duration::HOUR,
            Self::Minute => Duration::DAY,
            Self::Hour => Duration::days(31),
        }
    }

    /// About 10 000 steps, and the one that is cut.
    fn max_range(self) -> Duration {
        match self {
            Self::TenSeconds => Duration::DAY + Duration::seconds(10),
            Self::Minute => Duration::WEEK + Duration::MINUTE,
            Self::Hour => Duration::days(400) + Duration::HOUR,
        }
    }

    /// Start of the step that a moment is in.
    fn start(self, at: OffsetDateTime) -> Option<OffsetDateTime> {
        let step_s = match self {
            Self::TenSeconds => 10,
            Self::Minute => 60,
            Self::Hour => 3600,
        };
        let start = at.unix_timestamp().div_euclid(step_s) * step_s;
        OffsetDateTime::from_unix_timestamp(start).ok()
    }
}

impl From<Step> for Every {
    fn from(step: Step) -> Self {
        match step {
            Step::TenSeconds => Self::TenSeconds,
            Step::Minute => Self::Minute,
            Step::Hour => Self::Hour,
        }
    }
}

impl From<Point> for SeriesItem {
    fn from(point: Point) -> Self {
        let visible = FIELDS.iter().filter(|spec| spec.field != Field::HeartRateBpm);
        let values = visible.filter_map(|spec| {
            let of = |what: &str| point.values[format!("{}_{what}", spec.name)].as_f64();
            let n = point.values[format!("{}_n", spec.name)].as_i64()?;
            let statistics = Statistics {
                n,
                last: of("last")?,
                gain: of("gain"),
                avg: of("avg"),
                min: of("min"),
                max: of("max"),
            };
            Some((spec.name, statistics))
        });
        Self { at: point.at, samples: point.samples, values: values.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:34:56 UTC);

    fn range(query: &str) -> Result<(OffsetDateTime, OffsetDateTime, Step)> {
        serde_json::from_str::<SeriesQuery>(query).unwrap().range(NOW)
    }

    #[test]
    fn left_out_times_are_the_last_day_in_minutes() {
        let (from, to, every) = range("{}").unwrap();

        assert_eq!((from, to, every), (datetime!(2026-11-19 12:34 UTC), NOW, Step::Minute));
    }

    #[test]
    fn steps_that_are_left_out_fit_the_time_that_is_asked_for() {
        let every = |query: &str| range(query).unwrap().2;

        assert_eq!(every(r#"{"from":"2026-11-20T11:00:00Z"}"#), Step::TenSeconds);
        assert_eq!(every(r#"{"from":"2026-11-19T00:00:00Z"}"#), Step::Minute);
        assert_eq!(every(r#"{"from":"2026-11-01T00:00:00Z"}"#), Step::Hour);
        assert_eq!(every(r#"{"from":"2026-11-20T11:00:00Z","every":"1h"}"#), Step::Hour);
    }

    #[test]
    fn a_range_that_is_reversed_or_too_long_is_refused() {
        assert!(range(r#"{"from":"2026-11-21T00:00:00Z"}"#).is_err());
        assert!(range(r#"{"from":"2026-11-19T00:00:00Z","every":"10s"}"#).is_err());
        assert!(range(r#"{"from":"2026-11-19T00:00:00Z","every":"1m"}"#).is_ok());
        assert!(range(r#"{"to":"0000-01-01T00:00:00Z"}"#).is_err());
    }

    #[test]
    fn a_heart_rate_is_not_told() {
        let values = json!({
            "heart_rate_bpm_n": 1, "heart_rate_bpm_last": 99.0,
            "speed_mps_n": 1, "speed_mps_last": 2.0, "speed_mps_avg": 2.0,
        });

        let item = SeriesItem::from(Point { at: NOW, samples: 1, values });

        assert_eq!(item.values.keys().copied().collect::<Vec<_>>(), ["speed_mps"]);
    }
}
