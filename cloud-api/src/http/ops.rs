//! For operators: health, readiness, metrics.

use super::extract::Json;
use crate::app::App;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Serialize;
use std::sync::OnceLock;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How the service and what it needs are.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Of everything that is required.
    pub status: HealthStatus,
    /// Now.
    #[serde(with = "time::serde::rfc3339")]
    pub timestamp: OffsetDateTime,
    /// Of this service.
    #[schema(example = "0.1.0")]
    pub version: &'static str,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Resident memory.
    pub memory_bytes: u64,
    /// One by one.
    pub dependencies: Vec<Dependency>,
}

/// Something the service needs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Dependency {
    /// What it is.
    #[schema(example = "postgres")]
    pub name: &'static str,
    /// How it is.
    pub status: HealthStatus,
    /// Without it nothing works.
    pub is_required: bool,
    /// How long it took to answer.
    pub response_ms: u64,
    /// When it was asked.
    #[serde(with = "time::serde::rfc3339")]
    pub checked_at: OffsetDateTime,
}

/// Works or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    Up,
    Down,
}

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(check_health))
        .routes(routes!(check_live))
        .routes(routes!(check_ready))
        .routes(routes!(read_metrics))
}

/// Health of the service and of everything it needs.
#[utoipa::path(get, path = "/health", tag = "operations", security(()), responses(
    (status = 200, body = Health), (status = 503, body = Health, description = "something required is down")))]
async fn check_health(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let database = check_database(&app).await;
    let status = database.status;
    let code = match status {
        HealthStatus::Up => StatusCode::OK,
        HealthStatus::Down => StatusCode::SERVICE_UNAVAILABLE,
    };
    let health = Health {
        status,
        timestamp: app.clock.now(),
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: app.started.elapsed().as_secs(),
        memory_bytes: resident_bytes(),
        dependencies: vec![database],
    };
    (code, Json(health))
}

/// Whether the process answers at all; a dead database is no reason to restart it.
#[utoipa::path(get, path = "/health/live", tag = "operations", security(()), responses((status = 204)))]
async fn check_live() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Whether requests should be sent here.
#[utoipa::path(get, path = "/health/ready", tag = "operations", security(()), responses(
    (status = 204), (status = 503, description = "starting, stopping, or without its database")))]
async fn check_ready(State(app): State<App>) -> StatusCode {
    if app.stop.is_cancelled() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    match check_database(&app).await.status {
        HealthStatus::Up => StatusCode::NO_CONTENT,
        HealthStatus::Down => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Metrics in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "operations", security(()), responses(
    (status = 200, body = String, content_type = "text/plain")))]
async fn read_metrics(State(app): State<App>) -> impl IntoResponse {
    measure_process(&app);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], recorder().render())
}

async fn check_database(app: &App) -> Dependency {
    let started = Instant::now();
    let answer = timeout(CHECK_TIMEOUT, sqlx::query("SELECT 1").execute(&app.db)).await;
    let is_up = matches!(answer, Ok(Ok(_)));
    Dependency {
        name: "postgres",
        status: if is_up { HealthStatus::Up } else { HealthStatus::Down },
        is_required: true,
        response_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        checked_at: app.clock.now(),
    }
}

const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// The recorder of this process; counts from the first call on.
pub fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let duration = Matcher::Suffix("_duration_seconds".to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(duration, &DURATION_BUCKETS)
            .expect("there are buckets")
            .build_recorder();
        let handle = recorder.handle();
        // Another recorder is there only if a program embeds this one; then ours stays empty.
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("metrics are recorded elsewhere");
        }
        handle
    })
}

/// Sorts what was recorded into buckets even while nobody reads the metrics; else it would pile up.
pub async fn tidy_metrics(stop: CancellationToken) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(TIDY_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => recorder().run_upkeep(),
        }
    }
}

const TIDY_EVERY: Duration = Duration::from_secs(5);

const DURATION_BUCKETS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0];

#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
fn measure_process(app: &App) {
    metrics::gauge!("process_resident_memory_bytes").set(resident_bytes() as f64);
    metrics::gauge!("process_uptime_seconds").set(app.started.elapsed().as_secs_f64());
    metrics::gauge!("process_cpu_seconds").set(cpu_seconds());
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    metrics::gauge!("process_open_fds").set(open as f64);
    metrics::gauge!("database_pool_connections").set(f64::from(app.db.size()));
    metrics::gauge!("database_pool_idle").set(app.db.num_idle() as f64);
    metrics::gauge!("database_pool_max").set(f64::from(app.db.options().get_max_connections()));
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// User and system time of all threads.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second column is the name in brackets and may contain spaces.
    let columns = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = columns.split(' ').skip(11).take(2).filter_map(|n| n.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_SECOND
}

/// `USER_HZ` of Linux, fixed for programs.
const TICKS_PER_SECOND: f64 = 100.0;
