use super::super::{BatchLimits, Position, Publish, What};
use super::kit::*;
use bytes::Bytes;
use protocol::sync::entry::{Body, GapReason};
use std::sync::Arc;

#[tokio::test]
async fn what_is_acked_is_found_after_a_restart_under_its_number() {
    let kit = Kit::new();
    let journal = kit.open();
    let sink = Arc::new(Sink::default());
    let messages = vec![
        acked(telemetry(1, vec![sample(9, 1), sample(9, 2)]), &sink, 1),
        acked(status(1, "hot"), &sink, 2),
        acked(tap(2, 77), &sink, 3),
    ];
    journal.submit(messages).await.unwrap();
    assert_eq!(sink.wait(3).await, [1, 2, 3]);
    let first = journal.read_batch(BatchLimits::default()).await.unwrap().unwrap();
    journal.close().await;

    let again = kit.open();

    let batch = again.read_batch(BatchLimits::default()).await.unwrap().unwrap();
    assert_eq!(batch, first);
    assert_eq!((batch.first_seq, batch.last_seq), (1, 3));
    assert_eq!(samples(&batch), [(1, 9, 1, 1000), (1, 9, 2, 1000)]);
    assert!(matches!(&events(&batch)[..], [(2, Body::Status(_)), (3, Body::Tap(_))]));
}

#[tokio::test]
async fn a_store_copied_while_running_holds_everything_acked() {
    let kit = Kit::new();
    let journal = kit.open();
    let sink = Arc::new(Sink::default());
    for seq in 1..=50 {
        let message = acked(telemetry(1, vec![sample(9, seq)]), &sink, 1);
        journal.submit(vec![message]).await.unwrap();
    }
    sink.wait(50).await;
    let other = Kit::new();

    copy_store(kit.folder.path(), other.folder.path());

    let batches = drain(&other.open(), BatchLimits::default()).await;
    let found: Vec<_> = batches.iter().flat_map(samples).map(|(_, _, seq, _)| seq).collect();
    assert_eq!(found, (1..=50).collect::<Vec<_>>());
}

#[tokio::test]
async fn repeats_are_acked_and_not_stored_also_after_a_restart() {
    let kit = Kit::new();
    let journal = kit.open();
    let sink = Arc::new(Sink::default());
    let messages = || {
        let bootless = |dup| {
            let mut sample = sample(0, 5);
            sample.boot = None;
            let mut message = telemetry(2, vec![sample]);
            (message.dup, message.payload_digest) = (dup, 99);
            message
        };
        vec![
            acked(telemetry(1, vec![sample(9, 10)]), &sink, 1),
            acked(telemetry(1, vec![sample(9, 4)]), &sink, 2),
            acked(bootless(true), &sink, 3),
            acked(tap(3, 77), &sink, 4),
        ]
    };
    journal.submit(messages()).await.unwrap();
    journal.submit(messages()).await.unwrap();
    sink.wait(8).await;
    journal.close().await;

    let again = kit.open();
    again.submit(messages()).await.unwrap();
    sink.wait(12).await;

    let batches = drain(&again, BatchLimits::default()).await;
    let found: Vec<_> = batches.iter().flat_map(samples).map(|(m, _, seq, _)| (m, seq)).collect();
    assert_eq!(found, [(1, 10), (1, 4), (2, 5)].map(|(m, seq)| (m, seq)).to_vec().tap_sorted());
    assert_eq!(batches.iter().flat_map(events).count(), 1);
    assert_eq!(again.stats().borrow().mode, super::super::Mode::Durable);
}

trait TapSorted {
    fn tap_sorted(self) -> Self;
}

impl TapSorted for Vec<(u128, u64)> {
    fn tap_sorted(mut self) -> Self {
        self.sort_by_key(|(machine, _)| *machine);
        self
    }
}

#[tokio::test]
async fn without_boot_and_without_dup_equal_bytes_are_no_repeat() {
    let kit = Kit::new();
    let journal = kit.open();
    let sink = Arc::new(Sink::default());
    let mut bootless = sample(0, 5);
    bootless.boot = None;
    let messages = (0..3).map(|_| acked(telemetry(2, vec![bootless]), &sink, 1)).collect();

    journal.submit(messages).await.unwrap();
    sink.wait(3).await;

    let batches = drain(&journal, BatchLimits::default()).await;
    assert_eq!(batches.iter().flat_map(samples).count(), 3);
}

#[tokio::test]
async fn each_opening_has_an_epoch_and_the_cloud_gets_the_oldest_first() {
    let kit = Kit::new();
    let mut epochs = Vec::new();
    for n in 0..3 {
        let (journal, opened) = kit.open_with(kit.config());
        journal.submit(vec![tap(1, n)]).await.unwrap();
        epochs.push(opened.epoch);
        journal.close().await;
    }
    let journal = kit.open();

    let batches = drain(&journal, BatchLimits::default()).await;

    let seen: Vec<_> = batches.iter().map(|batch| (batch.epoch, batch.first_seq)).collect();
    assert_eq!(seen, epochs.iter().map(|&epoch| (epoch, 1)).collect::<Vec<_>>());
    assert!(journal.read_batch(BatchLimits::default()).await.unwrap().is_none());
}

#[tokio::test]
async fn batches_follow_each_other_within_their_limits() {
    let kit = Kit::new();
    let journal = kit.open();
    for n in 0..10 {
        journal.submit(vec![telemetry(1, vec![sample(9, n)]), tap(2, n.into())]).await.unwrap();
    }
    journal.note(Body::Notice(notice())).await.unwrap();
    wait_for(&journal, 21).await;
    let limits = BatchLimits { samples: 3, ..BatchLimits::default() };

    let first = journal.read_batch(limits).await.unwrap().unwrap();
    let next = journal
        .read_batch_after(Position { epoch: first.epoch, seq: first.last_seq }, limits)
        .await
        .unwrap()
        .unwrap();

    assert_eq!(next.first_seq, first.last_seq + 1);
    assert_eq!(samples(&first).len(), 3);
    let all = drain(&journal, limits).await;
    assert_eq!(all.last().unwrap().last_seq, 21);
    assert!(all.windows(2).all(|pair| pair[0].last_seq + 1 == pair[1].first_seq));
    assert_eq!(all.iter().flat_map(samples).count(), 10);
}

fn notice() -> protocol::sync::entry::Notice {
    protocol::sync::entry::Notice { code: "test".to_owned(), detail: String::new() }
}

async fn wait_for(journal: &super::super::Journal, seq: u64) {
    journal.committed().wait_for(|position| position.seq >= seq).await.unwrap();
}

#[tokio::test]
async fn a_cloud_that_knows_more_or_less_is_followed() {
    let kit = Kit::new();
    let journal = kit.open();
    let sink = Arc::new(Sink::default());
    for n in 0..200 {
        journal.submit(vec![acked(tap(1, n), &sink, 1)]).await.unwrap();
    }
    sink.wait(200).await;
    let epoch = journal.committed().borrow().epoch;
    journal.acked(epoch, 150).await;
    journal.submit(vec![acked(tap(1, 200), &sink, 1)]).await.unwrap();
    sink.wait(201).await;
    wait_until(|| !row_exists(&kit, 100)).await;

    journal.rewind(epoch, 160).await;
    let ahead = journal.read_batch(BatchLimits::default()).await.unwrap().unwrap();
    journal.rewind(epoch, 11).await;
    let behind = journal.read_batch(BatchLimits::default()).await.unwrap().unwrap();

    assert_eq!((ahead.first_seq, ahead.last_seq), (160, 201));
    assert_eq!(behind.first_seq, 11);
    let Body::Gap(gap) = &events(&behind)[0].1 else { panic!("{behind:?}") };
    assert_eq!((gap.reason, gap.first_seq), (GapReason::Damaged, 11));
    assert!(gap.last_seq >= 100);
}

fn row_exists(kit: &Kit, pos: i64) -> bool {
    let connection = super::super::connection::reading(&kit.database()).unwrap();
    connection.prepare("SELECT 1 FROM entries WHERE pos = ?1").unwrap().exists([pos]).unwrap()
}

pub async fn wait_until(condition: impl Fn() -> bool) {
    let poll = async {
        while !condition() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), poll).await.expect("within 10 s");
}

#[tokio::test]
async fn what_the_cloud_has_is_deleted_and_repeats_stay_known() {
    let kit = Kit::new();
    let journal = kit.open();
    let sink = Arc::new(Sink::default());
    for n in 0..200 {
        let messages = vec![telemetry(1, vec![sample(9, n)]), acked(tap(2, n.into()), &sink, 1)];
        journal.submit(messages).await.unwrap();
    }
    sink.wait(200).await;
    drain(&journal, BatchLimits::default()).await;
    wait_until(|| !row_exists(&kit, 330)).await;
    journal.close().await;

    let again = kit.open();
    again.submit((0..200).map(|n| telemetry(1, vec![sample(9, n)])).collect()).await.unwrap();
    again.submit((0..200).map(|n| tap(2, n)).collect()).await.unwrap();
    again.submit(vec![acked(tap(3, 1000), &sink, 1)]).await.unwrap();
    sink.wait(201).await;

    let batches = drain(&again, BatchLimits::default()).await;
    assert_eq!(batches.iter().flat_map(samples).count(), 0);
    assert_eq!(batches.iter().flat_map(events).count(), 1);
}

#[tokio::test]
async fn followers_hear_of_commits_and_retained_values_come_back() {
    let kit = Kit::new();
    let journal = kit.open();
    let mut events = journal.events();
    let mut message = status(1, "hot");
    let payload = Bytes::from_static(b"{}");
    message.fan_out =
        Some(Publish { topic: "a".to_owned(), payload: payload.clone(), retain: true });

    journal.submit(vec![message, tap(2, 5)]).await.unwrap();

    let committed = events.recv().await.unwrap();
    assert_eq!(committed.items.len(), 2);
    assert_eq!(committed.position.seq, 2);
    assert!(matches!(committed.items[1].what, What::Event(Body::Tap(_))));
    journal.close().await;
    assert_eq!(kit.open_with(kit.config()).1.retained, [("a".to_owned(), payload)]);
}

#[tokio::test]
async fn acks_leave_in_order_of_arrival_per_connection() {
    let kit = Kit::new();
    let journal = kit.open();
    let sinks = [Arc::new(Sink::default()), Arc::new(Sink::default())];
    for id in 0..300_u16 {
        let sink = &sinks[usize::from(id % 2)];
        let message = match id % 7 {
            0 => tap(1, id.into()),
            1 => status(1, &id.to_string()),
            _ => telemetry(1, vec![sample(9, id.into())]),
        };
        journal.submit(vec![acked(message, sink, id)]).await.unwrap();
    }

    let told = [sinks[0].wait(150).await, sinks[1].wait(150).await];

    assert!(told.iter().all(|ids| ids.is_sorted()));
}
