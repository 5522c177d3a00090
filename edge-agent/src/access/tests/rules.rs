//! What is decided, and what the reader is told.

use super::*;
use protocol::access::Reason;
use protocol::mqtt::payloads::{DecisionMessage, DecisionOutcome};
use protocol::sync::roster::{CredentialKind, RosterKind};

#[tokio::test]
async fn a_known_card_opens_the_door_in_the_commit_of_its_tap() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = Branch::founded(folder.path()).await;
    let before = branch.journal.committed().borrow().seq;

    branch.journal.submit(vec![branch.received(DOOR, 1, &plain(), 100)]).await.unwrap();
    let commit = branch.events.recv().await.unwrap();

    assert_eq!((commit.items.len(), commit.position.seq), (3, before + 3));
    let (decision, answer) = decisions(&commit).remove(0);
    assert_eq!((decision.outcome, &*decision.reason), (DecisionOutcome::Granted, "granted"));
    assert_eq!(decision.member.map(|member| member.0.as_u128()), Some(1));
    let answer = answer.unwrap();
    assert_eq!(answer.topic, "gymwire/v1/readers/door/decision");
    let told: DecisionMessage = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!((told.tap_id, told.open_door_ms), (decision.tap_id, Some(3_000)));
    assert_eq!((told.display.as_str(), told.valid_ms), ("Welcome, Ada", 2_000));
}

#[tokio::test]
async fn every_kind_of_credential_leads_to_its_member() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = Branch::founded(folder.path()).await;
    let phone = cards::phone(branch.nonce(DOOR), SITE_NO);

    let mut found = Vec::new();
    for (id, credential) in (1..).zip([plain(), cards::sun(5), code(NOON_S, 1), phone]) {
        let decision = branch.tap(DOOR, id, &credential).await;
        found.push((decision.reason, decision.credential.map(|id| id.0.as_u128())));
    }

    let granted = |credential| ("granted".to_owned(), credential);
    assert_eq!(found, [granted(Some(100)), granted(Some(101)), granted(None), granted(Some(102))]);
}

#[tokio::test]
async fn who_may_not_come_in_is_told_why_in_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = Branch::founded(folder.path()).await;
    let stranger = Credential::NfcUid { uid: vec![9; 4] };
    let copied = Credential::NfcUid { uid: cards::SUN_UID.into() };
    let Credential::Sun { picc_data, enc, .. } = cards::sun(5) else { panic!("a card") };
    let forged = Credential::Sun { picc_data, enc, cmac: [0; 8] };
    let no_code = Credential::Qr { code: "https://example.com".to_owned() };
    let by_others = cards::code(&SigningKey::from_bytes(&[1; 32]), 1, NOON_S, 1);
    let old = code(NOON_S - 3_600, 1);

    let mut reasons = Vec::new();
    let presented = [stranger, copied, forged, no_code, by_others, old];
    for (id, credential) in (1..).zip(&presented) {
        let decision = branch.tap(DOOR, id, credential).await;
        assert_eq!(decision.outcome, DecisionOutcome::Denied);
        reasons.push(decision.reason);
    }

    let expected = [
        Reason::UnknownCard,
        Reason::BadSignature,
        Reason::BadSignature,
        Reason::UnknownCard,
        Reason::BadSignature,
        Reason::CodeExpired,
    ];
    assert_eq!(reasons, expected.map(Reason::as_str));
}

#[tokio::test]
async fn a_branch_that_was_told_nobody_lets_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = Branch::started(folder.path(), noon()).await;
    branch.change(vec![reader(DOOR, "door")]).await;

    assert_eq!(branch.tap(DOOR, 1, &plain()).await.reason, "no_roster");
}

#[tokio::test]
async fn what_the_cloud_changes_counts_for_the_next_tap_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = Branch::founded(folder.path()).await;
    branch.change(vec![RosterKind::Credential.removed(Uuid::from_u128(100))]).await;
    let removed = branch.tap(DOOR, 1, &plain()).await.reason;
    let hash = protocol::credential::uid_hash(&CREDENTIAL_KEY, &cards::PLAIN_UID);
    let again = cards::credential(200, 1, CredentialKind::NfcUid { uid_hash: hash });
    branch.change(vec![again.change()]).await;
    let returned = branch.tap(DOOR, 2, &plain()).await.reason;
    branch.journal.close().await;
    let clock = branch.clock.clone();
    drop(branch);

    let mut restarted = Branch::started(folder.path(), clock).await;

    assert_eq!((removed.as_str(), returned.as_str()), ("unknown_card", "granted"));
    assert_eq!(restarted.tap(DOOR, 3, &plain()).await.reason, "granted");
}

#[tokio::test]
async fn a_snapshot_of_several_pages_counts_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = Branch::founded(folder.path()).await;
    let page = |from, to, reset, more, changes| {
        let branch = BranchId(Uuid::from_u128(3));
        Changes { branch, from, to, reset, more, changes }
    };
    let hash = protocol::credential::uid_hash(&CREDENTIAL_KEY, &[8; 4]);
    let card = cards::credential(300, 2, CredentialKind::NfcUid { uid_hash: hash }).change();
    let devices = vec![reader(DOOR, "door"), card];
    branch.registry.apply(page(0, 5, true, true, devices)).await.unwrap();

    let between = branch.tap(DOOR, 1, &plain()).await.reason;
    let member = vec![cards::member(2, 43).change()];
    branch.registry.apply(page(5, 6, false, false, member)).await.unwrap();
    let former = branch.tap(DOOR, 2, &plain()).await.reason;
    let new = branch.tap(DOOR, 3, &Credential::NfcUid { uid: vec![8; 4] }).await.reason;

    assert_eq!([&*between, &*former, &*new], ["granted", "unknown_card", "granted"]);
}

#[tokio::test]
async fn a_tap_that_is_too_old_is_kept_and_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = Branch::founded(folder.path()).await;

    branch.journal.submit(vec![branch.received(DOOR, 1, &plain(), 5_001)]).await.unwrap();
    let (old, told) = branch.decided().await;
    branch.journal.submit(vec![branch.received(DOOR, 2, &plain(), 4_900)]).await.unwrap();
    let (fresh, answer) = branch.decided().await;

    assert_eq!((old.reason.as_str(), told), ("stale", None));
    assert_eq!(fresh.reason, "granted");
    let told: DecisionMessage = serde_json::from_slice(&answer.unwrap().payload).unwrap();
    assert_eq!(told.valid_ms, 100, "as long as the tap is young enough");
}

#[tokio::test]
async fn a_roster_beyond_its_grace_is_good_for_who_came_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = Branch::founded(folder.path()).await;
    branch.registry.confirm_roster(i64::from(NOON_S) * 1_000).await.unwrap();
    branch.change(vec![cards::member(2, 43).change()]).await;
    let hash = protocol::credential::uid_hash(&CREDENTIAL_KEY, &[8; 4]);
    let card = cards::credential(300, 2, CredentialKind::NfcUid { uid_hash: hash });
    branch.change(vec![card.change()]).await;
    branch.tap(DOOR, 1, &plain()).await;
    branch.later(8 * 24 * 3_600 * 1_000);
    branch.journal.close().await;
    let clock = branch.clock.clone();
    drop(branch);

    let mut restarted = Branch::started(folder.path(), clock).await;
    let regular = restarted.tap(DOOR, 2, &plain()).await.reason;
    let newcomer = restarted.tap(DOOR, 3, &Credential::NfcUid { uid: vec![8; 4] }).await.reason;

    assert_eq!((regular.as_str(), newcomer.as_str()), ("granted", "roster_too_old"));
}
