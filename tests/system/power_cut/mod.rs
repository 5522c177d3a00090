//! A power cut loses what the kernel had not yet put on the disk. The system calls of a program that writes to a
//! journal are recorded; then, for many moments, a disk is built that holds what was synced by then and a random
//! part of the rest, torn into sectors. The journal is opened on it: whatever was acked before that moment has to
//! be there. The same test has to notice a journal that does not sync.

pub mod disk;
pub mod recording;

use anyhow::{Context as _, Result, ensure};
use disk::Disk;
use edge_agent::journal::{Ack, AckSink, BatchLimits, Journal, JournalConfig, Received};
use edge_agent::ops::clock::Clock;
use protocol::sync::batch::Batch;
use protocol::sync::entry::Body;
use recording::{Event, record};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tests::power_cut::{ids, message};
use tests::seed::Seed;
use tokio::sync::Notify;

/// Moments that are tried.
const CUTS: usize = 500;

#[tokio::test]
async fn whatever_was_acked_survives_a_power_cut() -> Result<()> {
    let mut seed = Seed::announced("power cuts");

    let losses = cut_often("full", &mut seed).await?;

    assert_eq!(losses, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn the_test_notices_a_journal_that_does_not_sync() -> Result<()> {
    let mut seed = Seed::announced("power cuts of a journal that does not sync");

    let losses = cut_often("off", &mut seed).await?;

    let are_acks_lost = losses.iter().any(|loss| loss.contains("acked and lost"));
    assert!(are_acks_lost, "{losses:?}");
    Ok(())
}

/// What was lost or doubled, in words, over all cuts.
async fn cut_often(synchronous: &str, seed: &mut Seed) -> Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let written = folder.path().join("written");
    let events = record(&written, synchronous)?;
    let acks = events.iter().filter(|event| matches!(event, Event::Said(_))).count();
    ensure!(acks > 300, "only {acks} lines were recorded");
    let mut losses = Vec::new();
    let cuts: BTreeSet<_> = (0..CUTS)
        .map(|_| usize::try_from(seed.between(1, events.len() as u64)))
        .collect::<Result<_, _>>()?;
    let mut disk = Disk::default();
    let mut said = Said::default();
    for (index, event) in events.iter().enumerate() {
        disk.apply(event, &written);
        said.hear(event);
        if cuts.contains(&index) {
            let after = memory_folder()?;
            disk.after_power_cut(seed).write_to(after.path())?;
            let faults = said.compare(after.path()).await;
            losses.extend(faults.err().map(|fault| format!("cut at {index}: {fault:#}")));
        }
    }
    Ok(losses)
}

/// The disk after the cut lies in memory: it is opened once and thrown away.
fn memory_folder() -> Result<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).context("making a folder")
}

/// What the program had said by some moment.
#[derive(Default)]
struct Said {
    acked: BTreeSet<u16>,
    in_cloud: BTreeSet<u16>,
}

impl Said {
    fn hear(&mut self, event: &Event) {
        let Event::Said(line) = event else { return };
        match line.trim().split_once(' ') {
            Some(("ack", id)) => self.acked.extend(id.parse::<u16>()),
            Some(("cloud", id)) => self.in_cloud.extend(id.parse::<u16>()),
            _ => {}
        }
    }

    /// Opens what the cut left, and lets the devices send everything again that was acked.
    async fn compare(&self, folder: &Path) -> Result<()> {
        let mut config = JournalConfig::new(folder);
        config.check_after = None;
        config.limits.group_ms = 0;
        let (journal, opened) = Journal::open(config, Clock::system())?;
        send_again(&journal, &self.acked).await?;
        let batches = read_all(&journal, !opened.notices.is_empty()).await?;
        journal.close().await;
        let (new, old): (Vec<_>, Vec<_>) =
            batches.iter().partition(|batch| batch.epoch == opened.epoch);
        let old = ids_of(&old)?;
        let kept: BTreeSet<_> = old.iter().chain(&self.in_cloud).copied().collect();
        let lost: Vec<_> = self.acked.difference(&kept).collect();
        ensure!(lost.is_empty(), "acked and lost: {lost:?}");
        let again = ids_of(&new)?;
        ensure!(again.is_empty(), "acked before, yet stored again: {again:?}");
        let doubled = old.len() - old.iter().collect::<BTreeSet<_>>().len();
        ensure!(doubled == 0, "{doubled} messages are stored twice");
        ensure!(opened.notices.is_empty() || self.acked.is_empty(), "{:?}", opened.notices);
        Ok(())
    }
}

fn ids_of(batches: &[&Batch]) -> Result<Vec<u16>> {
    Ok(batches.iter().map(|batch| ids(batch)).collect::<Result<Vec<_>>>()?.concat())
}

/// Everything in the journal; with what is taken over from a file that was set aside, if one was.
async fn read_all(journal: &Journal, is_salvaged: bool) -> Result<Vec<Batch>> {
    let mut batches = Vec::new();
    loop {
        match journal.read_batch(BatchLimits::default()).await? {
            Some(batch) => {
                journal.acked(batch.epoch, batch.last_seq).await;
                batches.push(batch);
            }
            None if is_salvaged && !batches.iter().any(tells_end_of_salvage) => {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            None => return Ok(batches),
        }
    }
}

fn tells_end_of_salvage(batch: &Batch) -> bool {
    batch
        .events
        .iter()
        .filter_map(|event| protocol::sync::entry::Event::decode(&event.event).ok())
        .any(
            |event| matches!(event.body, Body::Notice(notice) if notice.code == "journal_salvaged"),
        )
}

#[derive(Default)]
struct Count(AtomicUsize, Notify);

impl AckSink for Count {
    fn committed(&self, acks: &[(u16, u8)]) {
        self.0.fetch_add(acks.len(), Ordering::AcqRel);
        self.1.notify_one();
    }
}

async fn send_again(journal: &Journal, ids: &BTreeSet<u16>) -> Result<()> {
    let count = Arc::new(Count::default());
    let messages = ids.iter().map(|&packet_id| {
        let connection: Arc<dyn AckSink> = Arc::clone(&count) as _;
        let ack = Some(Ack { connection, packet_id, reason: 0 });
        Received { ack, dup: true, ..message(packet_id) }
    });
    journal.submit(messages.collect()).await?;
    while count.0.load(Ordering::Acquire) < ids.len() {
        count.1.notified().await;
    }
    Ok(())
}
