//! Events ahead of their batch: what somebody waits for does not take all samples of the last seconds with it, in
//! columns too short to pack well. Nothing here moves what the journal may forget; only batches do.

use super::Uplink;
use super::http::{Clients, Failure};
use super::outgoing::is_urgent;
use super::token::Cloud;
use crate::journal::BatchLimits;
use bytes::Bytes;
use protocol::sync::batch::{BATCH_MEDIA_TYPE, Batch};
use protocol::sync::entry::Event;
use protocol::sync::state::Position;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use std::time::Duration;

/// What went ahead already.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    after: Option<Position>,
    /// The cloud knows nothing of this: batches have to do.
    is_unknown: bool,
}

const LEVEL: i32 = 9;
const TIMEOUT: Duration = Duration::from_secs(5);

impl Ahead {
    /// Sends the urgent events that neither a batch nor this has brought up. If it says no, it takes a batch: because
    /// there is a backlog, or because the cloud did not take them, whatever the reason.
    pub(super) async fn send(&mut self, uplink: &Uplink, cloud: &Cloud) -> bool {
        if self.is_unknown {
            return false;
        }
        let Some(batch) = self.cut(uplink).await else { return false };
        if batch.events.is_empty() {
            return true;
        }
        match post(cloud, &batch).await {
            Ok(()) => {
                self.after = Some(Position { epoch: batch.epoch, seq: batch.last_seq });
                true
            }
            Err(failure) => {
                self.is_unknown = is_unknown(&failure);
                tracing::debug!(%failure, "events did not go ahead");
                false
            }
        }
    }

    /// The urgent events since. Nothing if a batch is better: in a backlog, or if there are no samples to wait for.
    async fn cut(&self, uplink: &Uplink) -> Option<Batch> {
        let newest = *uplink.journal.committed().borrow();
        let limits = BatchLimits::default();
        let read = match self.after {
            Some(after) => uplink.journal.read_batch_after(after, limits).await,
            None => uplink.journal.read_batch(limits).await,
        };
        // A journal that cannot be read is the batch lane's matter.
        let mut batch = read.ok()??;
        let is_behind = batch.epoch != newest.epoch || batch.last_seq < newest.seq;
        let is_all = uplink.journal.backlog_entries() <= batch.last_seq - batch.first_seq + 1;
        if is_behind || (is_all && batch.telemetry.is_empty()) {
            return None;
        }
        batch.telemetry.clear();
        batch
            .events
            .retain(|event| Event::decode(&event.event).is_ok_and(|event| is_urgent(&event.body)));
        Some(batch)
    }
}

async fn post(cloud: &Cloud, batch: &Batch) -> Result<(), Failure> {
    let body = Bytes::from(batch.encode(LEVEL));
    let url = cloud.url("/events");
    let post = |clients: &Clients| {
        clients
            .bulk
            .post(&url)
            .header(CONTENT_TYPE, BATCH_MEDIA_TYPE)
            .header(CONTENT_ENCODING, "zstd")
            .timeout(TIMEOUT)
            .body(body.clone())
    };
    cloud.call(post).await?;
    metrics::counter!("gymwire_uplink_ahead_total").increment(1);
    metrics::counter!("gymwire_uplink_ahead_bytes_total").increment(body.len() as u64);
    Ok(())
}

/// An older cloud.
fn is_unknown(failure: &Failure) -> bool {
    matches!(failure.status(), Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED))
}
