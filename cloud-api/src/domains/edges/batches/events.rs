//! `/events`: what cannot wait for the batch of its range. That batch has it again, and skips it then.

use super::{apply, checked, unpack};
use crate::app::App;
use crate::domains::edges::caller::EdgeCaller;
use crate::http::{Problem, Result};
use anyhow::Context;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

/// Deliver events ahead of their batch.
///
/// An event that was applied before, either way, changes nothing. Nothing here moves what is acknowledged.
#[utoipa::path(post, path = "/events", tag = "edges", security(("edge" = [])),
    params(("Content-Encoding" = String, Header, description = "`zstd`")),
    request_body(content = Vec<u8>, content_type = "application/vnd.gymwire.batch",
        description = "a batch without telemetry, with the urgent events of its range"), responses(
    (status = 204, description = "applied"),
    (status = 400, body = Problem, content_type = "application/problem+json",
     description = "`malformed_batch`"),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`too_far_ahead`: the batches have to come first; `edge_conflict`"),
    (status = 413, body = Problem, content_type = "application/problem+json",
     description = "`payload_too_large`, packed or unpacked"),
    (status = 415, body = Problem, content_type = "application/problem+json",
     description = "`unsupported_version` and other; `supported` lists the versions")))]
pub async fn apply_events_ahead(
    State(app): State<App>,
    caller: EdgeCaller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode> {
    checked(&headers)?;
    let _slot = app.batch_slots.acquire().await.context("the service stops")?;
    apply::apply_ahead(&app, &caller, unpack(body).await?).await?;
    Ok(StatusCode::NO_CONTENT)
}
