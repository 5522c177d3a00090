//! Quota and full disks: telemetry gives way, taps do not, and what is gone is told.

use super::super::{BatchLimits, Journal, Mode};
use super::basics::wait_until;
use super::kit::*;
use protocol::machine::Field;
use protocol::sync::entry::{Body, GapReason, Reject, Stream};
use std::sync::Arc;

/// Samples that do not compress, so that a small quota is used up quickly.
fn bulky(device: u128, seq: u64) -> super::super::Received {
    let samples = (0..50).map(|n| {
        let seq = seq * 50 + n;
        let mut sample = sample(9, seq);
        for (shift, field) in
            [Field::PowerW, Field::SpeedMps, Field::Resistance].into_iter().enumerate()
        {
            let mixed = (seq + 7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let noise = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> (shift * 13);
            sample.fields.set_scaled(field, i32::try_from(noise & 0x00ff_ffff).unwrap());
        }
        sample
    });
    telemetry(device, samples.collect())
}

/// Submits and waits, group by group, while the clock moves on.
async fn fill(kit: &Kit, journal: &Journal, groups: u64, taps_every: u64) {
    let sink = Arc::new(Sink::default());
    for (count, n) in (1..).zip(0..groups) {
        kit.later(1_000);
        let mut messages = vec![acked(bulky(1, n), &sink, 1)];
        if n % taps_every == 0 {
            messages.push(tap(2, n.into()));
        }
        journal.submit(messages).await.unwrap();
        sink.wait(count).await;
    }
}

async fn all(journal: &Journal) -> Vec<protocol::sync::batch::Batch> {
    drain(journal, BatchLimits { entries: 100, ..BatchLimits::default() }).await
}

/// Every number is covered once, and how many samples arrived, were told as missing, and how many taps there are.
fn account(batches: &[protocol::sync::batch::Batch]) -> (usize, u64, usize) {
    assert!(batches.windows(2).all(|two| two[0].last_seq + 1 == two[1].first_seq));
    let arrived = batches.iter().flat_map(samples).count();
    let events: Vec<_> = batches.iter().flat_map(events).collect();
    let missing = events.iter().filter_map(|(_, body)| match body {
        Body::Gap(gap) if gap.stream == Stream::Telemetry => Some(gap.count),
        _ => None,
    });
    let taps = events.iter().filter(|(_, body)| matches!(body, Body::Tap(_))).count();
    (arrived, missing.sum(), taps)
}

#[tokio::test]
async fn over_its_quota_the_journal_thins_and_accounts_for_every_sample() {
    let kit = Kit::new();
    let mut config = kit.config();
    config.limits.max_bytes = 200 * 1024;
    let (journal, _) = kit.open_with(config);

    fill(&kit, &journal, 600, 20).await;
    let stats = journal.stats();
    wait_until(|| stats.borrow().samples_dropped > 10_000).await;

    let batches = all(&journal).await;
    let (arrived, missing, taps) = account(&batches);
    assert_eq!(arrived as u64 + missing, 600 * 50);
    assert!(missing > 10_000 && arrived > 0, "{missing} missing, {arrived} arrived");
    assert_eq!(taps, 30);
    let thinned = batches
        .iter()
        .flat_map(events)
        .any(|(_, body)| matches!(body, Body::Gap(gap) if gap.reason == GapReason::Thinned));
    assert!(thinned);
}

#[tokio::test]
async fn when_thinning_is_not_enough_the_oldest_goes_and_taps_stay() {
    let kit = Kit::new();
    let mut config = kit.config();
    // Clearly less than the taps take: how the rest lies in its pages, which hangs on when there was time to thin, makes no
    // difference to what has to go.
    config.limits.max_bytes = 64 * 1024;
    let (journal, _) = kit.open_with(config);

    fill(&kit, &journal, 600, 1).await;
    let stats = journal.stats();
    wait_until(|| stats.borrow().samples_dropped > 29_000).await;

    let batches = all(&journal).await;
    let (arrived, missing, taps) = account(&batches);
    assert_eq!(arrived as u64 + missing, 600 * 50);
    assert_eq!(taps, 600);
    let dropped = batches
        .iter()
        .flat_map(events)
        .any(|(_, body)| matches!(body, Body::Gap(gap) if gap.reason == GapReason::Dropped));
    assert!(dropped);
}

#[tokio::test]
async fn on_a_disk_below_its_floor_the_file_stops_growing() {
    let kit = Kit::new();
    let mut config = kit.config();
    config.limits.min_free_bytes = u64::MAX;
    let (journal, _) = kit.open_with(config);

    fill(&kit, &journal, 2_000, 1).await;

    let stats = journal.stats();
    wait_until(|| stats.borrow().samples_dropped > 0).await;
    let (arrived, missing, taps) = account(&all(&journal).await);
    assert_eq!(arrived as u64 + missing, 2_000 * 50);
    assert_eq!(taps, 2_000);
}

#[tokio::test]
async fn rejects_are_kept_up_to_a_limit_and_then_counted() {
    let kit = Kit::new();
    let journal = kit.open();
    let sink = Arc::new(Sink::default());
    let reject = || {
        let reject = Reject {
            topic: "t".to_owned(),
            code: "malformed".to_owned(),
            field: None,
            message: "no JSON".to_owned(),
            payload: vec![1],
            count: 1,
        };
        super::super::Received {
            what: super::super::What::Event(Body::Reject(reject)),
            ..telemetry(1, Vec::new())
        }
    };
    for _ in 0..250 {
        journal.submit(vec![acked(reject(), &sink, 1)]).await.unwrap();
    }
    sink.wait(250).await;
    journal.close().await;

    let again = kit.open();
    let stats = again.stats();
    wait_until(|| stats.borrow().backlog_entries == 101).await;

    let counts: Vec<_> = all(&again)
        .await
        .iter()
        .flat_map(events)
        .filter_map(|(_, body)| match body {
            Body::Reject(reject) => Some(reject.count),
            _ => None,
        })
        .collect();
    assert_eq!(counts.len(), 101);
    assert_eq!(counts.iter().sum::<u32>(), 250);
}

#[tokio::test]
async fn a_file_that_may_not_grow_still_takes_taps() {
    let kit = Kit::new();
    let mut config = kit.config();
    // The quota's own limit on pages is a little above the quota: with most of it taken by taps the file is full
    // for SQLite again and again.
    config.limits.max_bytes = 16 * 1024;
    let (journal, _) = kit.open_with(config);

    fill(&kit, &journal, 2_000, 1).await;

    assert_eq!(journal.stats().borrow().mode, Mode::Durable);
    let (arrived, missing, taps) = account(&all(&journal).await);
    assert_eq!(arrived as u64 + missing, 2_000 * 50);
    assert_eq!(taps, 2_000);
}
