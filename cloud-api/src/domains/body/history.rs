//! `/users/body-metrics/history`: where measures go.

use super::model::{Entry, day};
use super::trend::Trend;
use super::{Wanted, store};
use crate::app::App;
use crate::http::{Caller, Error, IfNoneMatch, Query, Result};
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::{Date, Duration};
use utoipa::{IntoParams, ToSchema};

/// Which days.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct Span {
    /// First day; 90 days before the last, if left out.
    #[garde(skip)]
    #[serde(default, with = "day::option")]
    #[param(value_type = Option<String>, format = Date)]
    pub from: Option<Date>,
    /// Last day; today, if left out. Three years at most.
    #[garde(skip)]
    #[serde(default, with = "day::option")]
    #[param(value_type = Option<String>, format = Date)]
    pub to: Option<Date>,
}

/// Entries of some days, and what became of every measure.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// The oldest first.
    pub items: Vec<Entry>,
    /// By measure: `weight_kg`, `body_fat_pct`, `resting_heart_rate_bpm`, `waist_cm` as other girths, and
    /// `body_fat_kg` as other parts that scanners tell.
    pub progress: BTreeMap<String, Trend>,
}

/// Read the own measures of some days with their trends.
#[utoipa::path(get, path = "/users/body-metrics/history", tag = "body", params(Span),
    security(("bearer" = ["read:progress"])), responses(
    (status = 200, body = History),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_body_history(
    State(app): State<App>,
    caller: Caller,
    Query(span): Query<Span>,
    known: IfNoneMatch,
) -> Result<Response> {
    let to = span.to.unwrap_or(app.clock.now().date());
    let from = span.from.or_else(|| to.checked_sub(DEFAULT)).unwrap_or(to);
    if from > to || to - from > LONGEST {
        let message = "is after `to`, or more than three years before it".to_owned();
        return Err(Error::Field { field: "from", code: "invalid", message });
    }
    let wanted = Wanted { from: Some(from), until: Some(to), rows: MAX_ROWS, ..Wanted::default() };
    let mut db = app.db.acquire().await?;
    let mut items = store::list(&mut db, &app.secrets, caller.user, wanted).await?;
    items.reverse();
    let progress = progress(&items);
    known.answer(&History { items, progress })
}

const DEFAULT: Duration = Duration::days(90);
const LONGEST: Duration = Duration::days(3 * 366);
/// Two sources a day.
const MAX_ROWS: i64 = 3 * 366 * 2;

fn progress(entries: &[Entry]) -> BTreeMap<String, Trend> {
    let mut series: BTreeMap<String, Vec<(Date, f64)>> = BTreeMap::new();
    for metrics in entries.iter().map(|entry| &entry.metrics) {
        let Some(day) = metrics.measured_on else { continue };
        let plain = [
            ("weight_kg", metrics.weight_kg),
            ("body_fat_pct", metrics.body_fat_pct),
            ("resting_heart_rate_bpm", metrics.resting_heart_rate_bpm.map(f64::from)),
        ];
        let plain = plain.into_iter().map(|(name, value)| (name.to_owned(), value));
        let girths = metrics.girths_cm.iter().map(|(name, cm)| (format!("{name}_cm"), *cm));
        let parts = metrics.composition.iter().map(|(name, value)| (name.clone(), *value));
        for (name, value) in plain.chain(girths).chain(parts) {
            if let Some(value) = value {
                series.entry(name).or_default().push((day, value));
            }
        }
    }
    let trends = series.into_iter().filter_map(|(name, one)| Some((name, Trend::of(&one)?)));
    trends.collect()
}
