//! Journals that released versions wrote are read by this one, for ever.

use super::super::{BatchLimits, verify};
use super::kit::*;
use protocol::sync::entry::Body;
use std::path::Path;
use std::sync::Arc;

#[tokio::test]
async fn a_journal_of_v0_1_is_read() {
    let kit = Kit::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v0.1/journal.db");
    std::fs::copy(golden, kit.database()).unwrap();

    let (journal, opened) = kit.open_with(kit.config());

    assert_eq!(opened.notices, Vec::<String>::new());
    assert_eq!(opened.retained, [("a".to_owned(), bytes::Bytes::from_static(b"{}"))]);
    let batch = journal.read_batch(BatchLimits::default()).await.unwrap().unwrap();
    assert_eq!((batch.epoch, batch.first_seq, batch.last_seq), (0x6d7f_d4a9_998e_6702, 1, 4));
    assert_eq!(samples(&batch), [(1, 9, 1, 1_000), (1, 9, 2, 1_000), (3, 9, 7, 1_000)]);
    let bodies: Vec<_> = events(&batch).into_iter().map(|(_, body)| body).collect();
    assert!(matches!(&bodies[..], [Body::Status(_), Body::Tap(_), Body::Tap(_)]), "{bodies:?}");
    assert!(verify(&kit.database()).unwrap().is_sound());
}

#[tokio::test]
async fn what_v0_1_took_in_is_a_repeat() {
    let kit = Kit::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v0.1/journal.db");
    std::fs::copy(golden, kit.database()).unwrap();
    let journal = kit.open();
    let sink = Arc::new(Sink::default());

    let again =
        vec![acked(telemetry(1, vec![sample(9, 2)]), &sink, 1), acked(tap(2, 77), &sink, 2)];
    journal.submit(again).await.unwrap();
    sink.wait(2).await;

    assert_eq!(drain(&journal, BatchLimits::default()).await.len(), 1);
}
