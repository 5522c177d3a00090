//! Health and metrics over HTTP (`[ops] listen`).

use super::status::Watched;
use anyhow::{Context as _, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use metrics::gauge;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Starts collecting metrics; nothing counted before is seen.
pub fn collect() -> Result<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().context("cannot start the metrics")
}

/// Opens the port.
pub async fn bind(listen: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen} (configuration key `ops.listen`)"))
}

#[derive(Clone)]
struct Ops {
    watched: Watched,
    metrics: PrometheusHandle,
}

/// Serves until `stop`.
pub async fn run(
    listener: TcpListener,
    watched: Watched,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> Result<()> {
    let router = Router::new()
        .route("/health", get(health))
        .route("/health/live", get(|| async { "live" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(render))
        .with_state(Ops { watched, metrics });
    let serving = axum::serve(listener, router);
    tokio::select! {
        end = serving => end.context("the port of health and metrics"),
        () = stop.cancelled() => Ok(()),
    }
}

async fn health(State(ops): State<Ops>) -> impl IntoResponse {
    let status = ops.watched.status();
    let is_complete = status.online && status.problem.is_none();
    let verdict = match (status.is_healthy(), is_complete) {
        (false, _) => "down",
        (true, false) => "degraded",
        (true, true) => "ok",
    };
    let code = code(status.is_healthy());
    (code, Json(json!({ "status": verdict, "detail": status })))
}

async fn ready(State(ops): State<Ops>) -> impl IntoResponse {
    let is_healthy = ops.watched.status().is_healthy();
    (code(is_healthy), if is_healthy { "ready" } else { "the journal cannot be written" })
}

fn code(is_healthy: bool) -> StatusCode {
    if is_healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn render(State(ops): State<Ops>) -> String {
    measure(&ops.watched);
    ops.metrics.run_upkeep();
    ops.metrics.render()
}

/// What is a state and not an event is measured when it is asked for.
#[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers")]
fn measure(watched: &Watched) {
    let journal = watched.journal.stats().borrow().clone();
    let status = watched.status();
    let flag = |is_so: bool| if is_so { 1.0 } else { 0.0 };
    gauge!("gymwire_journal_backlog_entries").set(status.backlog_entries as f64);
    gauge!("gymwire_journal_oldest_unsent_seconds").set(status.oldest_unsent_ms as f64 / 1_000.0);
    gauge!("gymwire_journal_used_bytes").set(journal.used_bytes as f64);
    gauge!("gymwire_journal_log_bytes").set(journal.log_bytes as f64);
    gauge!("gymwire_journal_writable").set(flag(status.is_healthy()));
    gauge!("gymwire_journal_commits").set(journal.commits as f64);
    gauge!("gymwire_journal_samples").set(journal.samples as f64);
    gauge!("gymwire_journal_entries").set(journal.entries as f64);
    gauge!("gymwire_journal_repeats").set(journal.repeats as f64);
    gauge!("gymwire_journal_rejects").set(journal.rejects as f64);
    gauge!("gymwire_journal_gaps").set(journal.gaps as f64);
    gauge!("gymwire_journal_samples_dropped").set(journal.samples_dropped as f64);
    gauge!("gymwire_journal_events_dropped").set(journal.events_dropped as f64);
    gauge!("gymwire_journal_set_aside").set(journal.set_aside as f64);
    gauge!("gymwire_disk_free_bytes").set(journal.disk_free_bytes as f64);
    gauge!("gymwire_cloud_online").set(flag(status.online));
    gauge!("gymwire_clock_synced").set(flag(status.clock_synced));
    gauge!("gymwire_devices_online").set(status.devices_online as f64);
    gauge!("gymwire_devices").set(status.devices as f64);
}
