//! What was used opens nothing again: not at once, not after a restart, a power cut, or the loss of the journal.

use super::*;
use crate::access::Proof;
use protocol::access::Reason;
use protocol::sync::entry::Event;
use std::collections::BTreeSet;

fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(to.join(file.file_name())).unwrap();
            copy(&file.path(), &to.join(file.file_name()));
        } else if !file.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

#[tokio::test]
async fn a_message_of_a_card_counts_once_and_an_older_one_never() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = Branch::founded(folder.path()).await;

    let mut reasons = Vec::new();
    for (id, counter) in (1..).zip([5, 5, 4, 6]) {
        let decision = branch.tap(DOOR, id, &cards::sun(counter)).await;
        reasons.push((decision.reason, decision.sun_counter));
    }

    let granted = |counter| ("granted".to_owned(), Some(counter));
    let replayed = ("replayed".to_owned(), None);
    assert_eq!(reasons, [granted(5), replayed.clone(), replayed, granted(6)]);
}

#[tokio::test]
async fn a_code_counts_once_at_all_readers() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = Branch::founded(folder.path()).await;

    let first = branch.tap(DOOR, 1, &code(NOON_S, 1)).await.reason;
    let again = branch.tap(GATE, 2, &code(NOON_S, 1)).await.reason;
    let other = branch.tap(GATE, 3, &code(NOON_S, 2)).await.reason;

    assert_eq!([&*first, &*again, &*other], ["granted", "replayed", "granted"]);
}

#[tokio::test]
async fn an_answer_of_a_phone_counts_once_and_only_where_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = Branch::founded(folder.path()).await;
    let asked_at_the_gate = cards::phone(branch.nonce(GATE), SITE_NO);
    let asked_at_the_door = cards::phone(branch.nonce(DOOR), SITE_NO);
    let twice = branch.received(DOOR, 3, &asked_at_the_door, 0);

    let elsewhere = branch.tap(DOOR, 1, &asked_at_the_gate).await.reason;
    let first = branch.tap(DOOR, 2, &asked_at_the_door).await.reason;
    // Proven before the first was decided, as by two connections at once.
    assert!(matches!(twice.proof.as_deref(), Some(Proof::Phone { .. })));
    branch.journal.submit(vec![twice]).await.unwrap();
    let at_once = branch.decided().await.0.reason;
    let again = branch.tap(DOOR, 4, &asked_at_the_door).await.reason;
    let nobody_asked = branch.tap(DOOR, 5, &cards::phone([7; 16], SITE_NO)).await.reason;

    assert_eq!(
        [&*elsewhere, &*first, &*at_once, &*again, &*nobody_asked],
        ["replayed", "granted", "replayed", "replayed", "replayed"]
    );
}

#[tokio::test]
async fn an_answer_that_comes_too_late_or_for_another_branch_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = Branch::founded(folder.path()).await;
    let late = cards::phone(branch.nonce(DOOR), SITE_NO);
    branch.later(5_000);
    let elsewhere = cards::phone(branch.nonce(DOOR), SITE_NO + 1);

    let late = branch.tap(DOOR, 1, &late).await.reason;
    let elsewhere = branch.tap(DOOR, 2, &elsewhere).await.reason;

    assert_eq!([&*late, &*elsewhere], ["replayed", "bad_signature"]);
}

#[tokio::test]
async fn what_was_used_stays_used_after_a_power_cut() {
    let (folder, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut branch = Branch::founded(folder.path()).await;
    branch.tap(DOOR, 1, &cards::sun(5)).await;
    branch.tap(DOOR, 2, &code(NOON_S, 1)).await;
    copy(folder.path(), copied.path());

    let mut restarted = Branch::started(copied.path(), noon()).await;

    assert_eq!(restarted.tap(DOOR, 3, &cards::sun(5)).await.reason, "replayed");
    assert_eq!(restarted.tap(DOOR, 4, &code(NOON_S, 1)).await.reason, "replayed");
    assert_eq!(restarted.tap(DOOR, 5, &cards::sun(6)).await.reason, "granted");
    assert_eq!(restarted.tap(DOOR, 6, &code(NOON_S, 2)).await.reason, "granted");
}

/// Whenever the power fails, a file holds a tap with its decision and what was used up, or nothing of it.
#[tokio::test]
async fn tap_decision_and_counter_are_there_together_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let branch = Branch::founded(folder.path()).await;
    let cuts: Vec<_> = (0..6).map(|_| tempfile::tempdir().unwrap()).collect();
    for (id, cut) in (1..).zip(&cuts) {
        let counter = u32::try_from(id).unwrap();
        let tap = branch.received(DOOR, id, &cards::sun(counter), 0);
        branch.journal.submit(vec![tap]).await.unwrap();
        // Somewhere before, in or after its commit.
        copy(folder.path(), cut.path());
    }

    for cut in &cuts {
        let mut restarted = Branch::started(cut.path(), noon()).await;
        let (taps, decisions) = journaled(&restarted.journal).await;
        assert_eq!(taps, decisions);
        let last = u32::try_from(taps.len()).unwrap();
        if last > 0 {
            assert_eq!(restarted.tap(DOOR, 90, &cards::sun(last)).await.reason, "replayed");
        }
        assert_eq!(restarted.tap(DOOR, 91, &cards::sun(last + 1)).await.reason, "granted");
    }
}

async fn journaled(journal: &Journal) -> (BTreeSet<TapId>, BTreeSet<TapId>) {
    let (mut taps, mut decisions) = (BTreeSet::new(), BTreeSet::new());
    let limits = crate::journal::BatchLimits::default();
    while let Some(batch) = journal.read_batch(limits).await.unwrap() {
        for event in &batch.events {
            match Event::decode(&event.event).unwrap().body {
                Body::Tap(tap) => assert!(taps.insert(tap.tap_id)),
                Body::Decision(decision) => assert!(decisions.insert(decision.tap_id)),
                _ => {}
            }
        }
        journal.acked(batch.epoch, batch.last_seq).await;
    }
    (taps, decisions)
}

#[tokio::test]
async fn the_loss_of_the_journal_makes_nothing_good_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = Branch::founded(folder.path()).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let memory = branch.access.clone().remember(branch.journal.events(), stop.clone());
    branch.tap(DOOR, 1, &cards::sun(5)).await;
    branch.tap(DOOR, 2, &code(NOON_S, 1)).await;
    branch.journal.close().await;
    drop(branch.journal);
    drop(branch.events);
    stop.cancel();
    memory.await.unwrap();
    std::fs::write(folder.path().join("journal.db"), b"no database any more").unwrap();
    branch.clock.set(Stamp { mono_ms: 70_000, ..branch.clock.stamp() });
    let clock = branch.clock.clone();
    clock.set(Stamp { wall_ms: i64::from(NOON_S + 10) * 1_000, ..clock.stamp() });
    drop((branch.access, branch.registry));

    let mut restarted = Branch::started(folder.path(), clock).await;

    assert_eq!(restarted.tap(DOOR, 3, &cards::sun(5)).await.reason, "replayed");
    assert_eq!(restarted.tap(DOOR, 4, &code(NOON_S, 1)).await.reason, "replayed");
    assert_eq!(restarted.tap(DOOR, 5, &code(NOON_S + 10, 2)).await.reason, "granted");
}

#[tokio::test]
async fn a_journal_that_is_only_in_memory_decides_and_knows_what_was_used() {
    let folder = tempfile::tempdir().unwrap();
    let branch = Branch::founded(folder.path()).await;
    let clock = branch.clock.clone();
    let hash = protocol::credential::uid_hash(&CREDENTIAL_KEY, &cards::SUN_UID);
    branch.registry.keep_card_counters(vec![(hash, 5)]).await.unwrap();
    drop(branch);
    let no_folder = folder.path().join("a-file");
    std::fs::write(&no_folder, b"").unwrap();

    let mut restarted = Branch::journaling_in(&no_folder, folder.path(), clock).await;

    assert_eq!(restarted.journal.stats().borrow().mode, crate::journal::Mode::Memory);
    assert_eq!(restarted.tap(DOOR, 1, &cards::sun(5)).await.reason, "replayed");
    assert_eq!(restarted.tap(DOOR, 2, &cards::sun(6)).await.reason, "granted");
}

#[test]
fn a_tap_that_is_repeated_in_any_order_is_decided_once() {
    use proptest::prelude::*;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let order = proptest::collection::vec((1..5_u128, any::<bool>()), 1..30);
    let config = ProptestConfig { cases: 12, ..ProptestConfig::default() };
    proptest!(config, |(sent in order)| {
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut branch = Branch::founded(folder.path()).await;
            for &(id, restarts) in &sent {
                let counter = u32::try_from(id).unwrap();
                let tap = branch.received(DOOR, id, &cards::sun(counter), 0);
                branch.journal.submit(vec![tap]).await.unwrap();
                if restarts {
                    branch.journal.close().await;
                    let clock = branch.clock.clone();
                    drop(branch);
                    branch = Branch::started(folder.path(), clock).await;
                }
            }
            branch.journal.close().await;
            let (clock, ids) = (branch.clock.clone(), sent.iter().map(|&(id, _)| id));
            let ids: BTreeSet<_> = ids.map(|id| TapId(Uuid::from_u128(id))).collect();
            drop(branch);
            let restarted = Branch::started(folder.path(), clock).await;
            let (taps, decisions) = journaled(&restarted.journal).await;
            assert_eq!((&taps, &decisions), (&ids, &ids));
        });
    });
}

#[tokio::test]
async fn nothing_that_opens_doors_shows_in_what_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let branch = Branch::founded(folder.path()).await;
    let phone = cards::phone(branch.nonce(DOOR), SITE_NO);

    for credential in [plain(), cards::sun(5), code(NOON_S, 1), phone] {
        let received = branch.received(DOOR, 1, &credential, 0);
        let shown = format!("{received:?} {:?}", branch.registry);
        let secrets = ["dec0de", "DEC0DE", "c0ffee", "C0FFEE", "aaaaaaaa", "bbbbbbbb", "G1A"];
        assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{shown}");
        assert!(!shown.contains("222, 192, 222, 1") && !shown.contains("192, 255, 238"), "{shown}");
    }
    assert!(!format!("{:?}", Proof::Nothing(Reason::Replayed)).is_empty());
}
