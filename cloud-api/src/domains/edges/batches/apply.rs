//! One transaction per batch: everything in it, and that it was applied.

use super::dating::{self, Offsets};
use super::sort;
use super::store::{self, Standing};
use super::unpack::{SetAside, Unpacked};
use crate::app::App;
use crate::domains::edges::caller::EdgeCaller;
use crate::domains::telemetry::{self, Chunk, Delivery};
use crate::domains::{activity, branches, edges, sessions};
use crate::http::{Error, Refusal, Result};
use crate::ids::DeviceId;
use axum::http::StatusCode;
use protocol::sync::batch::MAX_EVENTS_AHEAD;
use sqlx::{PgConnection, Postgres, Transaction};
use std::collections::HashSet;
use time::{Duration, OffsetDateTime};

/// What was done, for the metrics.
#[derive(Debug, Default)]
struct Applied {
    samples: u64,
    events: u64,
    set_aside: u64,
    /// When the newest sample of each chunk was taken, where that is certain.
    taken: Vec<OffsetDateTime>,
    /// Something was journaled that stays and machines depend on.
    has_facts: bool,
    /// When taps and sets were made, where that is certain.
    done: Vec<OffsetDateTime>,
}

/// Applies a batch, unless it was applied before. Gives the position up to which the epoch is applied.
pub async fn apply(app: &App, caller: &EdgeCaller, mut batch: Unpacked) -> Result<u64> {
    let now = app.clock.now();
    let (mut tx, mut standing) = begin(app, caller, batch.epoch, now).await?;
    if batch.last_seq <= standing.acked_seq {
        metrics::counter!("ingest_batches_total", "outcome" => "repeat").increment(1);
        return Ok(standing.acked_seq.unsigned_abs());
    }
    if batch.first_seq != standing.acked_seq + 1 {
        metrics::counter!("ingest_batches_total", "outcome" => "out_of_order").increment(1);
        return Err(out_of_order(standing.acked_seq + 1));
    }
    let (epoch, last_seq) = (batch.epoch, batch.last_seq);
    batch.events.retain(|seq, _| !standing.ahead.contains(seq));
    let applied = write(app, &mut tx, caller, batch, now).await?;
    standing.acked_seq = last_seq;
    standing.ahead.retain(|&seq| seq > last_seq);
    store::ack(&mut tx, caller.edge, epoch, &standing, now).await?;
    tx.commit().await?;
    metrics::counter!("ingest_batches_total", "outcome" => "applied").increment(1);
    applied.count(app);
    if applied.has_facts {
        fold(app, caller).await;
    }
    Ok(last_seq.unsigned_abs())
}

/// Applies events ahead of the batch of their range, those that are not applied yet.
pub async fn apply_ahead(app: &App, caller: &EdgeCaller, mut batch: Unpacked) -> Result<()> {
    let now = app.clock.now();
    let (mut tx, mut standing) = begin(app, caller, batch.epoch, now).await?;
    // What cannot be read comes again with the batch, and is set aside then.
    batch.set_aside.clear();
    batch.chunks.clear();
    batch.events.retain(|seq, _| *seq > standing.acked_seq && !standing.ahead.contains(seq));
    if batch.events.is_empty() {
        return Ok(());
    }
    standing.ahead.extend(batch.events.keys());
    if standing.ahead.len() > MAX_EVENTS_AHEAD {
        return Err(Error::Conflict("too_far_ahead"));
    }
    let epoch = batch.epoch;
    let applied = write(app, &mut tx, caller, batch, now).await?;
    store::ack(&mut tx, caller.edge, epoch, &standing, now).await?;
    tx.commit().await?;
    metrics::counter!("ingest_batches_total", "outcome" => "ahead").increment(1);
    applied.count(app);
    if applied.has_facts {
        fold(app, caller).await;
    }
    Ok(())
}

/// For the present holder of the edge's key; the epoch stays locked.
async fn begin(
    app: &App,
    caller: &EdgeCaller,
    epoch: u64,
    now: OffsetDateTime,
) -> Result<(Transaction<'static, Postgres>, Standing)> {
    let mut tx = app.db.begin().await?;
    if !edges::store::keep(&mut tx, caller.edge, &caller.boot).await? {
        // It was the holder a moment ago; its next call finds out what it is now.
        return Err(Error::Conflict("edge_conflict"));
    }
    let standing = store::lock_epoch(&mut tx, caller, epoch, now).await?;
    Ok((tx, standing))
}

/// What the facts come to. They are kept: what cannot be folded now is folded by a job.
async fn fold(app: &App, caller: &EdgeCaller) {
    let folded = async {
        let branch = branches::by_id(&mut *app.db.acquire().await?, caller.branch).await?;
        match branch {
            Some(branch) => sessions::settle(app, branch.organization_id).await,
            None => Ok(()),
        }
    };
    if let Err(error) = folded.await {
        tracing::error!(error = format!("{error:#}"), "facts are not folded yet");
    }
}

fn out_of_order(expected_seq: i64) -> Error {
    Refusal::new(StatusCode::CONFLICT, "out_of_order")
        .detail("the batch does not follow what was applied last; cut anew")
        .with("expected_seq", expected_seq)
        .into()
}

async fn write(
    app: &App,
    db: &mut PgConnection,
    caller: &EdgeCaller,
    mut batch: Unpacked,
    now: OffsetDateTime,
) -> Result<Applied> {
    let offsets = dating::settle(db, caller.edge, &mut batch, now).await?;
    sort::take_over_devices(db, caller, &mut batch, now).await?;
    let devices = store::devices(db, caller.branch).await?;
    let delivery = Delivery {
        edge: caller.edge,
        branch: caller.branch,
        epoch: batch.epoch,
        first_seq: batch.first_seq,
        received_at: now,
    };
    let mut applied = write_chunks(app, db, delivery, &mut batch, &devices).await?;
    write_events(db, delivery, &mut batch, &devices, &offsets, &mut applied).await?;
    applied.set_aside = batch.set_aside.len() as u64;
    store::set_aside(db, delivery, &batch.set_aside).await?;
    Ok(applied)
}

async fn write_chunks(
    app: &App,
    db: &mut PgConnection,
    delivery: Delivery,
    batch: &mut Unpacked,
    devices: &HashSet<DeviceId>,
) -> Result<Applied> {
    let retention = Duration::days(app.config.telemetry.retention_days.into());
    let oldest = delivery.received_at - retention;
    let mut chunks = Vec::with_capacity(batch.chunks.len());
    for chunk in std::mem::take(&mut batch.chunks) {
        if !devices.contains(&chunk.machine) {
            batch.set_aside.push(foreign_telemetry(batch.first_seq, chunk));
        } else if chunk.is_dated && chunk.to < oldest {
            let range = (batch.first_seq, batch.last_seq);
            activity::too_late(db, delivery, chunk.machine, range, chunk.count.into()).await?;
        } else {
            chunks.push(chunk);
        }
    }
    telemetry::insert_chunks(db, delivery, &chunks).await?;
    Ok(Applied {
        samples: chunks.iter().map(|chunk| u64::from(chunk.count.unsigned_abs())).sum(),
        taken: chunks.iter().filter(|chunk| chunk.is_dated).map(|chunk| chunk.to).collect(),
        ..Applied::default()
    })
}

fn foreign_telemetry(seq: i64, chunk: Chunk) -> SetAside {
    SetAside {
        seq,
        kind: "telemetry",
        device: Some(chunk.machine),
        reason: "foreign_device",
        detail: "no such machine in this branch".to_owned(),
        content: chunk.columns,
    }
}

async fn write_events(
    db: &mut PgConnection,
    delivery: Delivery,
    batch: &mut Unpacked,
    devices: &HashSet<DeviceId>,
    offsets: &Offsets,
    applied: &mut Applied,
) -> Result<()> {
    let rows = sort::into_rows(delivery, batch, devices, offsets);
    for (command, outcome) in rows.results() {
        edges::commands::finish_from_journal(
            db,
            delivery.branch,
            *command,
            outcome,
            delivery.received_at,
        )
        .await?;
    }
    applied.done = rows.done_at().collect();
    let repeated = activity::insert(db, rows).await?;
    for seq in repeated {
        if let Some((event, bytes)) = batch.events.remove(&seq) {
            batch.set_aside.push(SetAside {
                seq,
                kind: "event",
                device: event.source.device().map(Into::into),
                reason: "repeat",
                detail: "the same is stored already".to_owned(),
                content: bytes,
            });
        }
    }
    applied.events = batch.events.len() as u64;
    let dated = sort::dated(delivery, batch, offsets);
    applied.has_facts = sessions::note(db, &dated).await?;
    Ok(())
}

impl Applied {
    fn count(&self, app: &App) {
        metrics::counter!("ingest_samples_total").increment(self.samples);
        metrics::counter!("ingest_events_total").increment(self.events);
        metrics::counter!("ingest_set_aside_total").increment(self.set_aside);
        let now = app.clock.now();
        for (kind, times) in [("telemetry", &self.taken), ("event", &self.done)] {
            let latency = metrics::histogram!("ingest_latency_duration_seconds", "kind" => kind);
            for at in times {
                latency.record((now - *at).as_seconds_f64().max(0.0));
            }
        }
    }
}
