//! Fills a small disk with telemetry and taps, then with a file that belongs to somebody else, and says what its
//! journal makes of it. Run by the small-disk test, which gives it a disk of its own.

use anyhow::{Context as _, Result, ensure};
use edge_agent::journal::{
    Ack, AckSink, BatchLimits, Journal, JournalConfig, Mode, Received, What,
};
use edge_agent::ops::clock::Clock;
use protocol::credential::StoredCredential;
use protocol::ids::{DeviceId, TapId};
use protocol::machine::{Field, Sample, columns};
use protocol::sync::batch::Batch;
use protocol::sync::entry::{Body, Event, Source, Stream, Tap};
use std::path::PathBuf;
use std::sync::Arc;
use tests::seed::Seed;
use tokio::sync::Semaphore;
use uuid::Uuid;

const ROUNDS: u64 = 500;
const MESSAGES: u64 = 25;
const SAMPLES: u64 = 40;

struct Acks(Semaphore);

impl AckSink for Acks {
    fn committed(&self, acks: &[(u16, u8)]) {
        self.0.add_permits(acks.len());
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).context("first argument: the folder")?);
    let mut config = JournalConfig::new(folder.join("state"));
    config.limits.min_free_bytes = 0;
    config.limits.group_ms = 2;
    let (journal, _) = Journal::open(config, Clock::system())?;
    // Once a second the journal sees to its reserve.
    let mut stats = journal.stats();
    stats.wait_for(|_| folder.join("state/journal.db.reserve").exists()).await?;
    fill(&journal, 0).await?;
    // Somebody else takes what is left, to the last byte.
    let foreign = std::fs::File::create(folder.join("foreign"))?;
    let taken = std::io::copy(&mut std::io::repeat(1), &mut &foreign);
    ensure!(taken.is_err(), "the disk is not full");
    fill(&journal, ROUNDS).await?;
    ensure!(stats.borrow().mode == Mode::Durable, "{:?}", *stats.borrow());
    account(&journal).await
}

/// Every message is acked before the next round.
async fn fill(journal: &Journal, first: u64) -> Result<()> {
    let acks = Arc::new(Acks(Semaphore::new(0)));
    let mut seed = Seed::new(first);
    for round in first..first + ROUNDS {
        let mut messages: Vec<_> =
            (0..MESSAGES).map(|n| telemetry(round * MESSAGES + n, &mut seed)).collect();
        messages.push(tap(round));
        for message in &mut messages {
            let connection: Arc<dyn AckSink> = Arc::clone(&acks) as _;
            message.ack = Some(Ack { connection, packet_id: 1, reason: 0 });
        }
        let count = u32::try_from(messages.len())?;
        journal.submit(messages).await?;
        acks.0.acquire_many(count).await?.forget();
    }
    Ok(())
}

fn telemetry(number: u64, seed: &mut Seed) -> Received {
    let sample = |n| {
        let mut sample = Sample { seq: number * SAMPLES + n, boot: Some(1), ..Sample::default() };
        for field in [Field::PowerW, Field::SpeedMps, Field::Resistance, Field::DistanceM] {
            sample.fields.set_scaled(field, seed.next_u32().cast_signed());
        }
        sample
    };
    let samples = (0..SAMPLES).map(sample).collect();
    Received::new(Source::Device(DeviceId(Uuid::from_u128(1))), What::Telemetry(samples))
}

fn tap(number: u64) -> Received {
    let tap = Tap {
        tap_id: TapId(Uuid::from_u128(number.into())),
        credential: StoredCredential::NfcUid { uid_hash: [1; 32] },
        age_ms: 0,
    };
    Received::new(Source::Device(DeviceId(Uuid::from_u128(2))), What::Event(Body::Tap(tap)))
}

/// All taps are there; every sample is there or told as missing.
async fn account(journal: &Journal) -> Result<()> {
    let (mut taps, mut arrived, mut missing) = (0, 0, 0);
    while let Some(batch) = journal.read_batch(BatchLimits::default()).await? {
        for part in &batch.telemetry {
            arrived += u64::from(columns::summary(&part.columns)?.count);
        }
        for body in bodies(&batch)? {
            match body {
                Body::Tap(_) => taps += 1,
                Body::Gap(gap) if gap.stream == Stream::Telemetry => missing += gap.count,
                _ => {}
            }
        }
        journal.acked(batch.epoch, batch.last_seq).await;
    }
    ensure!(taps == 2 * ROUNDS, "{taps} taps");
    let all = 2 * ROUNDS * MESSAGES * SAMPLES;
    ensure!(arrived + missing == all, "{arrived} arrived, {missing} missing of {all}");
    ensure!(missing > 0, "the disk was never short");
    Ok(())
}

fn bodies(batch: &Batch) -> Result<Vec<Body>> {
    batch.events.iter().map(|event| Ok(Event::decode(&event.event)?.body)).collect()
}
