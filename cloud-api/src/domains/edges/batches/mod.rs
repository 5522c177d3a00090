//! `/batches`: consecutive journal entries, applied whole, once and in order per epoch.

mod apply;
mod dating;
pub mod events;
mod sort;
mod store;
mod unpack;

use super::caller::EdgeCaller;
use super::{media, schema};
use crate::app::App;
use crate::http::{Error, Json, Problem, Result};
use anyhow::Context;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use protocol::sync::WireError;
use protocol::sync::batch::{BATCH_MEDIA_TYPE, BATCH_VERSION, BatchAnswer};
use unpack::Unpacked;

/// Deliver journal entries.
///
/// A batch that was applied before is answered as it was then, and changes nothing. An entry that cannot be
/// used is set aside with its reason and never blocks the rest.
#[utoipa::path(post, path = "/batches", tag = "edges", security(("edge" = [])),
    params(("Content-Encoding" = String, Header, description = "`zstd`")),
    request_body(content = Vec<u8>, content_type = "application/vnd.gymwire.batch",
        description = "zstd of version byte and postcard of `Batch`; at most 4 MiB, 16 MiB unpacked"), responses(
    (status = 200, body = schema::BatchAnswer),
    (status = 400, body = Problem, content_type = "application/problem+json",
     description = "`malformed_batch`"),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`out_of_order`: `expected_seq` is the `first_seq` that would be taken; `edge_conflict`"),
    (status = 413, body = Problem, content_type = "application/problem+json",
     description = "`payload_too_large`, packed or unpacked, or more than 1 000 000 samples"),
    (status = 415, body = Problem, content_type = "application/problem+json",
     description = "`unsupported_version` and other; `supported` lists the versions")))]
pub async fn apply_batch(
    State(app): State<App>,
    caller: EdgeCaller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<BatchAnswer>> {
    checked(&headers)?;
    let _slot = app.batch_slots.acquire().await.context("the service stops")?;
    let unpacked = unpack(body).await?;
    let acked_seq = apply::apply(&app, &caller, unpacked).await?;
    Ok(Json(BatchAnswer { acked_seq }))
}

fn checked(headers: &HeaderMap) -> Result<()> {
    media::check(headers, BATCH_MEDIA_TYPE, BATCH_VERSION)?;
    if media::is_zstd(headers, BATCH_VERSION)? {
        Ok(())
    } else {
        Err(media::not_zstd(BATCH_VERSION))
    }
}

/// Off the async workers: inflating and checking takes up to a tenth of a second.
async fn unpack(body: Bytes) -> Result<Unpacked> {
    let unpacked = tokio::task::spawn_blocking(move || Unpacked::read(&body));
    let unpacked = unpacked.await.context("a batch could not be unpacked")?;
    unpacked.map_err(|error| refuse(&error))
}

fn refuse(error: &WireError) -> Error {
    media::refuse(error, "malformed_batch", &[BATCH_VERSION])
}
