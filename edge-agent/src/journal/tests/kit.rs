//! What the tests of the journal share: a folder, a clock, devices, and connections that note their acks.

use super::super::{Ack, AckSink, BatchLimits, Journal, JournalConfig, Opened, Received, What};
use crate::ops::clock::Clock;
use protocol::credential::StoredCredential;
use protocol::ids::{DeviceId, TapId};
use protocol::machine::{Field, Sample, TimedSample, columns};
use protocol::sync::batch::Batch;
use protocol::sync::entry::{Body, DeviceState, DeviceStatus, Event, Source, Tap};
use protocol::time::Stamp;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use uuid::Uuid;

/// A journal in a folder of its own.
pub struct Kit {
    pub folder: tempfile::TempDir,
    pub clock: Clock,
}

impl Kit {
    pub fn new() -> Self {
        let stamp = Stamp { boot: 7, mono_ms: 1_000, wall_ms: 1_700_000_000_000, synced: true };
        Self { folder: tempfile::tempdir().unwrap(), clock: Clock::manual(stamp) }
    }

    pub fn config(&self) -> JournalConfig {
        let mut config = JournalConfig::new(self.folder.path());
        config.limits.group_ms = 2;
        config.limits.min_free_bytes = 0;
        config.check_after = None;
        config
    }

    pub fn open(&self) -> Journal {
        self.open_with(self.config()).0
    }

    pub fn open_with(&self, config: JournalConfig) -> (Journal, Opened) {
        Journal::open(config, self.clock.clone()).unwrap()
    }

    pub fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("journal.db")
    }

    pub fn later(&self, ms: u64) {
        let mut stamp = self.clock.stamp();
        stamp.mono_ms += ms;
        stamp.wall_ms += ms.cast_signed();
        self.clock.set(stamp);
    }
}

/// A connection that notes what it is told.
#[derive(Default)]
pub struct Sink {
    told: Mutex<Vec<(u16, u8)>>,
    news: Notify,
}

impl AckSink for Sink {
    fn committed(&self, acks: &[(u16, u8)]) {
        self.told.lock().unwrap().extend_from_slice(acks);
        self.news.notify_one();
    }
}

impl Sink {
    pub fn told(&self) -> Vec<u16> {
        self.told.lock().unwrap().iter().map(|&(id, _)| id).collect()
    }

    /// Waits until this many packets are acked.
    pub async fn wait(&self, count: usize) -> Vec<u16> {
        let all = async {
            while self.told().len() < count {
                self.news.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), all).await.expect("acks come within 10 s");
        self.told()
    }
}

pub fn device(number: u128) -> DeviceId {
    DeviceId(Uuid::from_u128(number))
}

pub fn sample(boot: u32, seq: u64) -> Sample {
    let mut sample = Sample { seq, boot: Some(boot), ..Sample::default() };
    sample.fields.set_scaled(Field::PowerW, i32::try_from(seq % 1000).unwrap());
    sample
}

pub fn telemetry(number: u128, samples: Vec<Sample>) -> Received {
    Received::new(Source::Device(device(number)), What::Telemetry(samples))
}

pub fn tap(number: u128, id: u128) -> Received {
    let credential = StoredCredential::NfcUid { uid_hash: [1; 32] };
    let tap = Tap { tap_id: TapId(Uuid::from_u128(id)), credential, age_ms: 0 };
    Received::new(Source::Device(device(number)), What::Event(Body::Tap(tap)))
}

pub fn status(number: u128, error: &str) -> Received {
    let status = DeviceStatus {
        state: DeviceState::Idle,
        firmware: None,
        uptime_ms: None,
        error: Some(error.to_owned()),
    };
    Received::new(Source::Device(device(number)), What::Event(Body::Status(status)))
}

pub fn acked(message: Received, sink: &Arc<Sink>, packet_id: u16) -> Received {
    let connection: Arc<dyn AckSink> = Arc::clone(sink) as _;
    Received { ack: Some(Ack { connection, packet_id, reason: 0 }), ..message }
}

/// Everything the journal has for the cloud, taken and acked batch by batch.
pub async fn drain(journal: &Journal, limits: BatchLimits) -> Vec<Batch> {
    let mut batches = Vec::new();
    while let Some(batch) = journal.read_batch(limits).await.unwrap() {
        journal.acked(batch.epoch, batch.last_seq).await;
        batches.push(batch);
    }
    batches
}

/// Samples of a batch as (machine, boot, seq, time).
pub fn samples(batch: &Batch) -> Vec<(u128, u32, u64, u64)> {
    let of = |part: &protocol::sync::batch::MachineTelemetry| {
        let machine = part.machine.0.as_u128();
        columns::decode(&part.columns).unwrap().into_iter().map(move |timed: TimedSample| {
            (machine, timed.sample.boot.unwrap_or(0), timed.sample.seq, timed.mono_ms)
        })
    };
    batch.telemetry.iter().flat_map(of).collect()
}

pub fn events(batch: &Batch) -> Vec<(u64, Body)> {
    let decode = |event: &protocol::sync::batch::BatchEvent| {
        (event.seq, Event::decode(&event.event).unwrap().body)
    };
    batch.events.iter().map(decode).collect()
}

/// Copies a store as a power cut would leave it, were everything synced.
pub fn copy_store(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}
