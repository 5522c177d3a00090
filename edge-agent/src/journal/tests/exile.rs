//! A journal in memory moves into its folder as soon as that can be written, and nothing is lost or doubled on the way.

use super::super::{BatchLimits, Journal, Mode, verify};
use super::basics::wait_until;
use super::kit::*;
use protocol::sync::entry::Body;
use std::fs;
use std::sync::Arc;

/// A folder that is away, with a file in its place: refused for every user, root included.
struct Away<'a>(&'a Kit);

impl<'a> Away<'a> {
    fn from(kit: &'a Kit) -> Self {
        let folder = kit.folder.path().join("state");
        fs::rename(&folder, kit.folder.path().join("away")).unwrap();
        fs::write(folder, b"").unwrap();
        Self(kit)
    }

    fn back(self) {
        let folder = self.0.folder.path().join("state");
        fs::remove_file(&folder).unwrap();
        fs::rename(self.0.folder.path().join("away"), folder).unwrap();
    }
}

fn open(kit: &Kit) -> Journal {
    let mut config = kit.config();
    config.folder = kit.folder.path().join("state");
    kit.open_with(config).0
}

async fn submit(journal: &Journal, messages: Vec<super::super::Received>) -> Arc<Sink> {
    let sink = Arc::new(Sink::default());
    let messages = (1..).zip(messages).map(|(packet, message)| acked(message, &sink, packet));
    journal.submit(messages.collect()).await.unwrap();
    sink
}

#[tokio::test]
async fn what_came_meanwhile_is_carried_over_and_acked_once_it_is_on_disk() {
    let kit = Kit::new();
    let journal = open(&kit);
    submit(&journal, vec![telemetry(1, vec![sample(9, 1)]), tap(2, 1)]).await.wait(2).await;
    journal.close().await;
    let away = Away::from(&kit);

    let journal = open(&kit);
    assert_eq!(journal.stats().borrow().mode, Mode::Memory);
    // Devices come in another order, and get other numbers.
    let sink = submit(&journal, vec![tap(2, 2), tap(3, 3), telemetry(1, vec![sample(9, 2)])]).await;
    journal.committed().wait_for(|position| position.seq >= 4).await.unwrap();
    assert_eq!(sink.told(), Vec::<u16>::new());
    away.back();
    sink.wait(3).await;
    submit(&journal, vec![telemetry(1, vec![sample(9, 1), sample(9, 2)]), tap(3, 3), tap(2, 4)])
        .await
        .wait(3)
        .await;

    assert_eq!(journal.stats().borrow().mode, Mode::Durable);
    journal.close().await;
    let report = verify(&kit.folder.path().join("state/journal.db")).unwrap();
    assert!(report.damage.is_empty() && report.damaged_entries.is_empty(), "{report}");
    let batches = drain(&open(&kit), BatchLimits::default()).await;
    let mut samples: Vec<_> = batches.iter().flat_map(samples).map(|s| (s.0, s.2)).collect();
    samples.sort_unstable();
    assert_eq!(samples, [(1, 1), (1, 2)]);
    let mut taps: Vec<_> = batches
        .iter()
        .flat_map(events)
        .filter_map(|(_, body)| match body {
            Body::Tap(tap) => Some(tap.tap_id.0.as_u128()),
            _ => None,
        })
        .collect();
    taps.sort_unstable();
    assert_eq!(taps, [1, 2, 3, 4]);
}

#[tokio::test]
async fn what_the_cloud_has_taken_from_memory_is_not_sent_again() {
    let kit = Kit::new();
    let journal = open(&kit);
    journal.close().await;
    let away = Away::from(&kit);
    let journal = open(&kit);
    let sink = submit(&journal, vec![tap(2, 1)]).await;
    journal.committed().wait_for(|position| position.seq >= 2).await.unwrap();
    let epoch = drain(&journal, BatchLimits::default()).await[0].epoch;

    away.back();
    sink.wait(1).await;
    submit(&journal, vec![tap(2, 2)]).await.wait(1).await;

    let batches = drain(&journal, BatchLimits::default()).await;
    assert!(batches.iter().any(|batch| batch.epoch == epoch && batch.first_seq == 3));
    let taps = batches.iter().flat_map(events).filter(|(_, body)| matches!(body, Body::Tap(_)));
    assert_eq!(taps.count(), 1);
    wait_until(|| journal.stats().borrow().backlog_entries == 0).await;
}
