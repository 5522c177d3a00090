//! `/admin/telemetry/export`: what machines of a branch measured, as CSV for who analyses it. A stream of portions: neither
//! memory nor a connection is held for long. Without heart rates, and without a word about members.

use super::rollup_store::{Every, Point, machines_of, series};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::branches;
use crate::http::{Caller, Error, Origin, Query, Result};
use crate::ids::{BranchId, DeviceId};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use garde::Validate;
use protocol::machine::sample::FieldSpec;
use protocol::machine::{FIELDS, Field};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt::Write as _;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};

/// Of which branch and time, in which steps.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    #[garde(skip)]
    pub branch_id: BranchId,
    #[garde(skip)]
    #[serde(with = "time::serde::rfc3339")]
    #[param(value_type = String, format = DateTime)]
    pub from: OffsetDateTime,
    #[garde(skip)]
    #[serde(with = "time::serde::rfc3339")]
    #[param(value_type = String, format = DateTime)]
    pub to: OffsetDateTime,
    /// Length of the steps. Of 10 s a week can be asked for at once, of 1 min 92 days, of 1 h 400 days. Left out: the
    /// finest that the time allows.
    #[garde(skip)]
    #[serde(default)]
    #[param(inline)]
    pub every: Option<ExportStep>,
}

/// Length of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum ExportStep {
    #[serde(rename = "10s")]
    TenSeconds,
    #[serde(rename = "1m")]
    Minute,
    #[serde(rename = "1h")]
    Hour,
}

impl ExportStep {
    const ALL: [Self; 3] = [Self::TenSeconds, Self::Minute, Self::Hour];

    fn longest(self) -> Duration {
        match self {
            Self::TenSeconds => Duration::WEEK,
            Self::Minute => Duration::days(92),
            Self::Hour => Duration::days(400),
        }
    }

    /// What is read at once: some thousand rows.
    fn portion(self) -> Duration {
        match self {
            Self::TenSeconds => Duration::hours(12),
            Self::Minute => Duration::days(3),
            Self::Hour => Duration::days(200),
        }
    }
}

impl From<ExportStep> for Every {
    fn from(step: ExportStep) -> Self {
        match step {
            ExportStep::TenSeconds => Self::TenSeconds,
            ExportStep::Minute => Self::Minute,
            ExportStep::Hour => Self::Hour,
        }
    }
}

/// Export what the machines of a branch measured, as CSV: a row for each machine and step in which something was measured.
/// There are no heart rates in it, and nothing about members.
#[utoipa::path(get, path = "/admin/telemetry/export", tag = "machines", params(ExportQuery),
    extensions(("x-rate-limit" = json!({"limit": 60, "window_s": 3600}))),
    security(("bearer" = ["read:machines"])), responses(
    (status = 200, body = String, content_type = "text/csv")))]
pub async fn export_telemetry(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Query(asked): Query<ExportQuery>,
) -> Result<Response> {
    let every = asked.step()?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let branch = branches::visible(&mut tx, &caller, asked.branch_id).await?.id;
    let machines = machines_of(&mut tx, branch).await?;
    let entry = Entry::asked("telemetry.exported", &caller, &origin).on(branch);
    audit::record(&mut tx, &entry.detail(json!({"every": every})), now).await?;
    tx.commit().await?;
    let (from, to) = (asked.from, asked.to);
    let progress = Progress { app, machines, place: 0, from, at: from, to, every, is_begun: false };
    let body = Body::from_stream(stream::try_unfold(progress, Progress::next));
    let name = "attachment; filename=\"telemetry.csv\"";
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, body).into_response())
}

impl ExportQuery {
    fn step(&self) -> Result<ExportStep> {
        let wrong = |message: &str| {
            Err(Error::Field { field: "from", code: "out_of_range", message: message.to_owned() })
        };
        if self.from >= self.to || self.from < OffsetDateTime::UNIX_EPOCH {
            return wrong("must be before `to`, and not before 1970");
        }
        let span = self.to - self.from;
        let allows = |step: &ExportStep| span <= step.longest();
        match self.every.map_or_else(|| ExportStep::ALL.into_iter().find(allows), Some) {
            Some(step) if allows(&step) => Ok(step),
            _ => wrong("is too long before `to` for steps of this length"),
        }
    }
}

/// How far an export is.
struct Progress {
    app: App,
    machines: Vec<(DeviceId, String)>,
    place: usize,
    from: OffsetDateTime,
    at: OffsetDateTime,
    to: OffsetDateTime,
    every: ExportStep,
    is_begun: bool,
}

impl Progress {
    async fn next(mut self) -> anyhow::Result<Option<(Bytes, Self)>> {
        if !self.is_begun {
            self.is_begun = true;
            return Ok(Some((Bytes::from(head()), self)));
        }
        while let Some((machine, code)) = self.machines.get(self.place) {
            let until = self.at.saturating_add(self.every.portion()).min(self.to);
            let mut db = self.app.db.acquire().await?;
            let points = series(&mut db, *machine, self.at, until, self.every.into()).await?;
            drop(db);
            let mut text = String::new();
            for point in &points {
                row(&mut text, *machine, code, point);
            }
            self.at = until;
            if until >= self.to {
                (self.place, self.at) = (self.place + 1, self.from);
            }
            if !text.is_empty() {
                return Ok(Some((Bytes::from(text), self)));
            }
        }
        Ok(None)
    }
}

/// What is told of a field.
fn statistics(spec: &FieldSpec) -> &'static [&'static str] {
    if spec.is_counter { &["gain", "last"] } else { &["avg", "min", "max"] }
}

fn told() -> impl Iterator<Item = &'static FieldSpec> {
    FIELDS.iter().filter(|spec| spec.field != Field::HeartRateBpm)
}

fn head() -> String {
    let mut head = "machine_id,machine,at,samples".to_owned();
    for spec in told() {
        for statistic in statistics(spec) {
            let _ = write!(head, ",{}_{statistic}", spec.name);
        }
    }
    head.push('\n');
    head
}

fn row(text: &mut String, machine: DeviceId, code: &str, point: &Point) {
    let at = point.at.format(&Rfc3339).unwrap_or_default();
    // Codes have no commas or quotes.
    let _ = write!(text, "{machine},{code},{at},{}", point.samples);
    for spec in told() {
        for statistic in statistics(spec) {
            text.push(',');
            if let Some(value) = point.values[format!("{}_{statistic}", spec.name)].as_f64() {
                let _ = write!(text, "{value}");
            }
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_row_has_as_many_fields_as_the_head_and_no_heart_rate() {
        let mut text = String::new();
        let values = json!({"heart_rate_bpm_avg": 99.0, "distance_m_gain": 12.5});

        let at = datetime!(2026-11-20 12:00 UTC);
        row(&mut text, DeviceId::new(), "bike-01", &Point { at, samples: 10, values });

        let commas = |text: &str| text.matches(',').count();
        assert_eq!(commas(&text), commas(&head()));
        assert!(!head().contains("heart") && !text.contains("99"), "{text}");
        assert!(text.contains("2026-11-20T12:00:00Z,10,,,12.5,"), "{text}");
    }

    #[test]
    fn the_finest_steps_that_a_time_allows_are_taken() {
        let from = datetime!(2026-01-01 00:00 UTC);
        let step = |days: i64, every: Option<ExportStep>| {
            let to = from + Duration::days(days);
            ExportQuery { branch_id: BranchId::new(), from, to, every }.step().ok()
        };

        assert_eq!(step(7, None), Some(ExportStep::TenSeconds));
        assert_eq!(step(8, None), Some(ExportStep::Minute));
        assert_eq!(step(93, None), Some(ExportStep::Hour));
        assert_eq!(step(401, None), None);
        assert_eq!(step(8, Some(ExportStep::TenSeconds)), None);
        assert_eq!(step(0, None), None);
    }
}
