//! Every kind of broken file: the journal opens, says so, and what can be found is found.

use super::super::{BatchLimits, Journal, Mode, Position, verify};
use super::basics::wait_until;
use super::kit::*;
use protocol::sync::batch::Batch;
use protocol::sync::entry::{Body, GapReason};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// A closed store with samples 1..=300 and taps 1..=100 of device 1 and 2, in one epoch.
async fn filled(kit: &Kit, is_checkpointed: bool) {
    let live = Kit::new();
    let target = if is_checkpointed { kit } else { &live };
    let journal = target.open();
    let sink = Arc::new(Sink::default());
    for n in 1..=100_u16 {
        let seq = u64::from(n) * 3;
        let samples = vec![sample(9, seq - 2), sample(9, seq - 1), sample(9, seq)];
        let messages = vec![telemetry(1, samples), acked(tap(2, n.into()), &sink, n)];
        journal.submit(messages).await.unwrap();
    }
    sink.wait(100).await;
    if is_checkpointed {
        journal.close().await;
        return;
    }
    copy_store(live.folder.path(), kit.folder.path());
    journal.close().await;
}

fn damage(path: &Path, offset: u64, bytes: &[u8]) {
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, offset).unwrap();
}

/// What the journal holds after the salvage: samples, taps, and whether gaps were told.
async fn found(journal: &Journal) -> (usize, usize, bool) {
    let stats = journal.stats();
    assert_eq!(stats.borrow().mode, Mode::Durable);
    let notices = |code: &'static str, all: &[(u64, Body)]| {
        all.iter().any(|(_, body)| matches!(body, Body::Notice(notice) if notice.code == code))
    };
    wait_until(|| stats.borrow().backlog_entries > 0).await;
    loop {
        // The file may be set aside in the middle of it; whoever reads tries again, as the uplink does.
        let batches = everything(journal).await.unwrap_or_default();
        let events: Vec<_> = batches.iter().flat_map(events).collect();
        if notices("journal_salvaged", &events) {
            assert!(notices("journal_set_aside", &events));
            let samples: BTreeSet<_> = batches.iter().flat_map(samples).collect();
            let taps: BTreeSet<_> = events
                .iter()
                .filter_map(|(_, body)| match body {
                    Body::Tap(tap) => Some(tap.tap_id),
                    _ => None,
                })
                .collect();
            let has_gap = events.iter().any(
                |(_, body)| matches!(body, Body::Gap(gap) if gap.reason == GapReason::Damaged),
            );
            return (samples.len(), taps.len(), has_gap);
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn everything(journal: &Journal) -> anyhow::Result<Vec<Batch>> {
    let limits = BatchLimits::default();
    let mut batches: Vec<Batch> = Vec::new();
    loop {
        let next = match batches.last() {
            None => journal.read_batch(limits).await?,
            Some(batch) => {
                let after = Position { epoch: batch.epoch, seq: batch.last_seq };
                journal.read_batch_after(after, limits).await?
            }
        };
        match next {
            Some(batch) => batches.push(batch),
            None => return Ok(batches),
        }
    }
}

/// A tap is taken, and everything is again as it should be.
async fn works(kit: &Kit, journal: &Journal) {
    let sink = Arc::new(Sink::default());
    journal.submit(vec![acked(tap(2, 9_999), &sink, 1)]).await.unwrap();
    sink.wait(1).await;
    let report = verify(&kit.database()).unwrap();
    assert!(report.damage.is_empty() && report.damaged_entries.is_empty(), "{report}");
}

#[tokio::test]
async fn a_zeroed_first_page_costs_nothing() {
    let kit = Kit::new();
    filled(&kit, true).await;
    damage(&kit.database(), 0, &[0; 1024]);

    let journal = kit.open();

    assert_eq!(found(&journal).await, (300, 100, false));
    works(&kit, &journal).await;
}

#[tokio::test]
async fn a_zeroed_file_is_replaced_by_what_its_log_still_holds() {
    let kit = Kit::new();
    filled(&kit, false).await;
    let length = fs::metadata(kit.database()).unwrap().len();
    fs::write(kit.database(), vec![0; usize::try_from(length).unwrap()]).unwrap();

    let journal = kit.open();

    assert_eq!(found(&journal).await, (300, 100, false));
    works(&kit, &journal).await;
}

#[tokio::test]
async fn an_emptied_file_is_replaced_by_what_its_log_still_holds() {
    let kit = Kit::new();
    filled(&kit, false).await;
    fs::write(kit.database(), b"").unwrap();

    let journal = kit.open();

    assert_eq!(found(&journal).await, (300, 100, false));
    works(&kit, &journal).await;
}

#[tokio::test]
async fn a_truncated_file_keeps_what_is_left() {
    let kit = Kit::new();
    filled(&kit, true).await;
    let length = fs::metadata(kit.database()).unwrap().len();
    OpenOptions::new().write(true).open(kit.database()).unwrap().set_len(length / 2 + 100).unwrap();

    let journal = kit.open();

    let (samples, taps, _) = found(&journal).await;
    assert!((30..300).contains(&samples), "{samples} samples");
    assert!((10..100).contains(&taps), "{taps} taps");
    works(&kit, &journal).await;
}

#[tokio::test]
async fn random_bytes_in_the_middle_leave_gaps_and_the_rest() {
    let kit = Kit::new();
    filled(&kit, true).await;
    let pages = fs::metadata(kit.database()).unwrap().len() / 1024;
    // All that SQLite needs to find its way is gone, and a few leaves.
    let noise: Vec<u8> =
        (0..6 * 1024_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    damage(&kit.database(), 0, &noise[..2048]);
    damage(&kit.database(), pages / 2 * 1024, &noise);

    let journal = kit.open();

    let (samples, taps, has_gap) = found(&journal).await;
    assert!((150..300).contains(&samples), "{samples} samples");
    assert!((50..100).contains(&taps), "{taps} taps");
    assert!(has_gap);
    works(&kit, &journal).await;
}

#[tokio::test]
async fn a_file_of_noise_is_replaced() {
    let kit = Kit::new();
    fs::write(kit.database(), vec![0x5a; 50_000]).unwrap();

    let journal = kit.open();

    assert_eq!(found(&journal).await, (0, 0, false));
    works(&kit, &journal).await;
}

#[tokio::test]
async fn a_newer_schema_is_set_aside_and_its_entries_are_taken_over() {
    let kit = Kit::new();
    filled(&kit, true).await;
    rusqlite::Connection::open(kit.database())
        .unwrap()
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();

    let journal = kit.open();

    assert_eq!(found(&journal).await, (300, 100, false));
    works(&kit, &journal).await;
}

#[tokio::test]
async fn entries_taken_over_keep_their_numbers_and_stay_known_as_repeats() {
    let kit = Kit::new();
    filled(&kit, true).await;
    let journal = kit.open();
    let before = journal.read_batch(BatchLimits::default()).await.unwrap().unwrap();
    journal.close().await;
    damage(&kit.database(), 0, &[0; 1024]);
    let journal = kit.open();
    found(&journal).await;
    let sink = Arc::new(Sink::default());

    journal
        .submit(vec![
            acked(telemetry(1, vec![sample(9, 150)]), &sink, 1),
            acked(tap(2, 50), &sink, 2),
        ])
        .await
        .unwrap();
    sink.wait(2).await;

    let after = journal.read_batch(BatchLimits::default()).await.unwrap().unwrap();
    assert_eq!(after, before);
    let repeats = journal.stats();
    wait_until(|| repeats.borrow().repeats == 2).await;
}

#[tokio::test]
async fn damage_found_while_running_sets_the_file_aside_and_goes_on() {
    let kit = Kit::new();
    let journal = kit.open();
    for n in 1..=40 {
        let statuses = (0..50).map(|m| status(1, &format!("status {n} {m}")));
        journal.submit(statuses.collect()).await.unwrap();
        journal.committed().wait_for(|position| position.seq >= n * 50).await.unwrap();
    }
    journal.close().await;
    // Far from whatever is read at start.
    let pages = fs::metadata(kit.database()).unwrap().len() / 1024;
    damage(&kit.database(), pages / 2 * 1024, &[0xff; 3 * 1024]);
    let mut config = kit.config();
    config.check_after = Some(std::time::Duration::ZERO);

    let (journal, opened) = kit.open_with(config);

    assert_eq!(opened.notices, Vec::<String>::new());
    let (_, _, has_gap) = found(&journal).await;
    assert!(has_gap);
    let stats = journal.stats();
    wait_until(|| stats.borrow().salvaged > 1_900).await;
    works(&kit, &journal).await;
    assert_eq!(journal.stats().borrow().set_aside, 1);
}

#[tokio::test]
async fn where_nothing_can_be_written_the_journal_is_in_memory_and_acks_nothing() {
    let kit = Kit::new();
    let mut config = kit.config();
    // A file where the folder should be: refused for every user, root included.
    config.folder = kit.folder.path().join("file/folder");
    fs::write(kit.folder.path().join("file"), b"").unwrap();

    let (journal, opened) = kit.open_with(config);

    assert!(opened.notices[0].starts_with("journal_in_memory"));
    assert_eq!(journal.stats().borrow().mode, Mode::Memory);
    let sink = Arc::new(Sink::default());
    journal.submit(vec![acked(tap(2, 1), &sink, 1)]).await.unwrap();
    journal.committed().wait_for(|position| position.seq >= 2).await.unwrap();
    let batch = journal.read_batch(BatchLimits::default()).await.unwrap().unwrap();
    assert!(events(&batch).iter().any(|(_, body)| matches!(body, Body::Tap(_))));
    assert_eq!(sink.told(), Vec::<u16>::new());
    let folder = journal.path().parent().unwrap().to_owned();
    journal.close().await;
    wait_until(|| !folder.exists()).await;
}

#[tokio::test]
async fn only_a_few_broken_files_are_kept() {
    let kit = Kit::new();
    for _ in 0..6 {
        fs::write(kit.database(), [0x5a; 5_000]).unwrap();
        kit.open().close().await;
        let _ = fs::remove_file(kit.folder.path().join("journal.db-wal"));
    }

    let broken = fs::read_dir(kit.folder.path())
        .unwrap()
        .filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().contains(".broken-"))
        .count();
    assert_eq!(broken, 3);
}

#[tokio::test]
async fn a_salvage_that_was_interrupted_goes_on_at_the_next_start() {
    let kit = Kit::new();
    filled(&kit, true).await;
    damage(&kit.database(), 0, &[0; 1024]);
    kit.open().close().await;

    let journal = kit.open();

    assert_eq!(found(&journal).await, (300, 100, false));
    works(&kit, &journal).await;
}
