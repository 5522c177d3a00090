//! What taps come to on the floor: stays and links, in the commit of the tap, and there again after a restart.

use super::*;
use crate::floor::Picture;
use crate::journal::BatchLimits;
use protocol::access::hours::DAYS;
use protocol::ids::MemberId;
use protocol::mqtt::payloads::{DecisionAction, DecisionMessage, DecisionOutcome, LinkMessage};
use protocol::rules::{Deed, Session};
use protocol::sync::entry::{DeviceState, DeviceStatus, Event};
use protocol::sync::roster::{CredentialKind, ReaderPlace, ReaderRecord, RosterItem};

pub const ADA: MemberId = MemberId(Uuid::from_u128(1));
pub const BEN: MemberId = MemberId(Uuid::from_u128(2));
pub const BENS_UID: [u8; 4] = [8; 4];
pub const ROWER: DeviceId = DeviceId(Uuid::from_u128(21));
const AT_ROWER: DeviceId = DeviceId(Uuid::from_u128(22));
const ENTRY: DeviceId = DeviceId(Uuid::from_u128(23));
const EXIT: DeviceId = DeviceId(Uuid::from_u128(24));

pub fn bens() -> Credential {
    Credential::NfcUid { uid: BENS_UID.into() }
}

fn placed(id: DeviceId, code: &str, place: ReaderPlace) -> [Change; 2] {
    [reader(id, code), RosterItem::Reader(ReaderRecord { id, place }).change()]
}

fn rower() -> Change {
    let Change::Device(record) = reader(ROWER, "rower") else { panic!("a device") };
    Change::Device(DeviceRecord { kind: DeviceKind::Machine, ..record })
}

/// A branch with two members, a machine with a reader, and doors of all kinds.
pub async fn floor(folder: &Path) -> Branch {
    let mut branch = Branch::founded(folder).await;
    let uid_hash = protocol::credential::uid_hash(&CREDENTIAL_KEY, &BENS_UID);
    let mut changes = vec![cards::member(2, 43).change(), rower()];
    changes.push(cards::credential(300, 2, CredentialKind::NfcUid { uid_hash }).change());
    changes.extend(placed(AT_ROWER, "at-rower", ReaderPlace::Machine(ROWER)));
    changes.extend(placed(ENTRY, "in", ReaderPlace::Entry));
    changes.extend(placed(EXIT, "out", ReaderPlace::Exit));
    branch.change(changes).await;
    branch
}

impl Branch {
    /// What holds once a condition does.
    pub async fn until(&self, holds: impl Fn(&Picture) -> bool) -> Arc<Picture> {
        let mut pictures = self.access.pictures();
        let found = pictures.wait_for(|picture| holds(picture));
        let found = tokio::time::timeout(Duration::from_secs(20), found).await;
        Arc::clone(&found.expect("it comes to hold").unwrap())
    }

    async fn did(&mut self, reader: DeviceId, id: u128, credential: &Credential) -> DecisionAction {
        self.tap(reader, id, credential).await.action
    }

    async fn says(&self, state: DeviceState) {
        let status = DeviceStatus { state, firmware: None, uptime_ms: None, error: None };
        let what = What::Event(Body::Status(status));
        // Another reader's ack tells that this one is taken in.
        self.journal.submit(vec![Received::new(Source::Device(ROWER), what)]).await.unwrap();
    }

    async fn restarted(self, folder: &Path) -> Self {
        self.journal.close().await;
        let clock = self.clock.clone();
        drop(self);
        Self::started(folder, clock).await
    }
}

fn told(commit: &Committed) -> Option<LinkMessage> {
    let publish = |item: &crate::journal::Item| item.publish.clone();
    let publish = commit.items.iter().find_map(publish)?;
    assert!(publish.retain && publish.topic == "gymwire/v1/machines/rower/link");
    serde_json::from_slice(&publish.payload).ok()
}

#[tokio::test]
async fn at_a_door_for_both_ways_a_member_comes_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;

    let came = branch.did(DOOR, 1, &plain()).await;
    let again = branch.did(DOOR, 2, &plain()).await;
    branch.later(60_000);
    let went = branch.did(DOOR, 3, &plain()).await;

    assert_eq!([came, again], [DecisionAction::CheckIn; 2], "a second tap means the same");
    assert_eq!(went, DecisionAction::CheckOut);
    branch.until(|picture| picture.state.sessions().count() == 0).await;
}

#[tokio::test]
async fn tap_decision_and_deed_are_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;

    branch.journal.submit(vec![branch.received(AT_ROWER, 1, &plain(), 0)]).await.unwrap();
    let commit = branch.events.recv().await.unwrap();

    let bodies: Vec<_> = commit.items.iter().map(|item| &item.what).collect();
    assert!(
        matches!(
            &bodies[..],
            [
                What::Event(Body::Tap(_)),
                What::Event(Body::Decision(_)),
                What::Event(Body::Deed(Deed::Link { member: ADA, machine: ROWER, .. })),
                What::FanOut
            ]
        ),
        "{bodies:?}"
    );
    let link = told(&commit).unwrap();
    assert_eq!((link.linked, link.display_name.as_deref()), (true, Some("Ada")));
    let (_, answer) = decisions(&commit).remove(0);
    let decision: DecisionMessage = serde_json::from_slice(&answer.unwrap().payload).unwrap();
    assert_eq!((decision.action, decision.open_door_ms), (DecisionAction::Link, None));
}

#[tokio::test]
async fn a_machine_is_taken_once_and_given_back_by_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;

    let taken = branch.tap(AT_ROWER, 1, &plain()).await;
    let refused = branch.tap(AT_ROWER, 2, &bens()).await;
    branch.later(60_000);
    let back = branch.tap(AT_ROWER, 3, &plain()).await;
    let next = branch.tap(AT_ROWER, 4, &bens()).await;

    assert_eq!(taken.action, DecisionAction::Link);
    let refused = (refused.outcome, refused.reason.as_str(), refused.action);
    assert_eq!(refused, (DecisionOutcome::Denied, "machine_taken", DecisionAction::None));
    assert_eq!(back.action, DecisionAction::Unlink);
    assert_eq!(next.action, DecisionAction::Link);
    let picture = branch.until(|picture| picture.state.machine_of(BEN) == Some(ROWER)).await;
    assert_eq!(picture.state.sessions().count(), 2, "who takes a machine is inside");
}

#[tokio::test]
async fn a_machine_that_says_it_is_broken_is_not_lent() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;
    branch.says(DeviceState::OutOfOrder).await;

    let broken = branch.tap(AT_ROWER, 1, &plain()).await.reason;
    branch.says(DeviceState::Idle).await;
    let repaired = branch.tap(AT_ROWER, 2, &plain()).await.reason;

    assert_eq!((broken.as_str(), repaired.as_str()), ("machine_out_of_order", "granted"));
}

#[tokio::test]
async fn who_is_inside_may_not_come_in_again_where_staff_want_it_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;
    let mut seen = Vec::new();
    for (id, policy) in (1_u128..).zip(["\"off\"", "\"warn\"", "\"deny\""]) {
        branch.change(vec![setting("anti_passback", policy)]).await;
        branch.later(60_000);
        branch.tap(ENTRY, 10 * id, &plain()).await;
        let again = branch.tap(ENTRY, 10 * id + 1, &plain()).await;
        let picture = branch
            .until(|picture| picture.taps.back().is_some_and(|tap| tap.tap == again.tap_id))
            .await;
        seen.push((again.reason, picture.taps.back().unwrap().warnings.len()));
    }
    branch.tap(EXIT, 50, &plain()).await;
    let after_leaving = branch.tap(ENTRY, 51, &plain()).await.reason;

    let granted = |warnings| ("granted".to_owned(), warnings);
    assert_eq!(seen[..2], [granted(0), granted(1)]);
    assert_eq!(seen[2], ("already_inside".to_owned(), 0));
    assert_eq!(after_leaving, "granted");
}

#[tokio::test]
async fn what_holds_is_there_after_a_restart_though_its_facts_were_sent_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;
    branch.tap(DOOR, 1, &plain()).await;
    branch.tap(AT_ROWER, 2, &bens()).await;
    let before = branch.until(|picture| picture.state.machine_of(BEN).is_some()).await;
    while let Some(batch) = branch.journal.read_batch(BatchLimits::default()).await.unwrap() {
        branch.journal.acked(batch.epoch, batch.last_seq).await;
    }

    let mut restarted = branch.restarted(folder.path()).await;
    let after = restarted.until(|picture| picture.state.sessions().count() == 2).await;

    assert_eq!(after.state, before.state);
    assert_eq!(restarted.tap(AT_ROWER, 3, &plain()).await.reason, "machine_taken");
    restarted.later(60_000);
    assert_eq!(restarted.did(DOOR, 4, &plain()).await, DecisionAction::CheckOut);
}

/// What staff are told at a start on a floor whose rows were changed by this statement, and what holds then.
async fn after_damage(statement: &str) -> (Arc<Picture>, Arc<Picture>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;
    branch.tap(DOOR, 1, &plain()).await;
    branch.tap(AT_ROWER, 2, &bens()).await;
    let before = branch.until(|picture| picture.state.machine_of(BEN).is_some()).await;
    let path = branch.journal.path();
    branch.journal.clone().close().await;
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch(statement).unwrap();
    drop(file);

    let restarted = branch.restarted(folder.path()).await;
    restarted.journal.let_time_pass().await.unwrap();
    let after = restarted.until(|picture| picture.state.sessions().count() == 2).await;
    let notices = tokio::time::timeout(Duration::from_secs(20), notices(&restarted)).await;
    (before, after, notices.expect("staff are told something"))
}

/// What staff are told first; all of a start is told at once.
async fn notices(branch: &Branch) -> Vec<String> {
    loop {
        let Some(batch) = branch.journal.read_batch(BatchLimits::default()).await.unwrap() else {
            branch.journal.let_time_pass().await.unwrap();
            continue;
        };
        branch.journal.acked(batch.epoch, batch.last_seq).await;
        let events = batch.events.iter().map(|event| Event::decode(&event.event).unwrap().body);
        let notices = events.filter_map(|body| match body {
            Body::Notice(notice) => Some(notice.code),
            _ => None,
        });
        let notices: Vec<String> = notices.collect();
        if !notices.is_empty() {
            return notices;
        }
    }
}

#[tokio::test]
async fn rows_of_the_floor_that_cannot_be_read_are_made_anew_and_staff_are_told() {
    for damage in
        ["UPDATE floor SET value = x'00' WHERE kind < 10", "UPDATE floor SET value = x'01'"]
    {
        let (before, after, notices) = after_damage(damage).await;

        let inside = |picture: &Picture| -> Vec<_> {
            picture.state.sessions().map(|(member, session)| (member, session.id)).collect()
        };
        assert_eq!(inside(&after), inside(&before), "{damage}");
        assert_eq!(after.state.machine_of(BEN), Some(ROWER));
        assert!(notices.iter().any(|code| code == "floor_rebuilt"), "{notices:?}");
    }
}

#[tokio::test]
async fn a_floor_table_that_is_gone_is_made_anew_from_the_file_that_is_set_aside() {
    let (before, after, notices) = after_damage("ALTER TABLE floor RENAME TO elsewhere").await;

    assert_eq!(after.state.sessions().count(), before.state.sessions().count());
    assert!(notices.iter().any(|code| code == "journal_set_aside"), "{notices:?}");
    assert!(notices.iter().any(|code| code == "floor_rebuilt"), "{notices:?}");
}

#[tokio::test]
async fn an_agent_that_was_rolled_back_goes_on_with_the_floor_and_leaves_the_newer_file_alone() {
    let (before, after, notices) = after_damage("PRAGMA user_version = 99").await;

    let state = |picture: &Picture| -> Vec<_> {
        picture.state.sessions().map(|(member, session)| (member, session.clone())).collect()
    };
    assert_eq!(state(&after), state(&before));
    assert_eq!(after.state.machine_of(BEN), Some(ROWER));
    assert!(notices.iter().any(|code| code == "journal_set_aside"), "{notices:?}");
    assert!(!notices.iter().any(|code| code == "floor_rebuilt"), "{notices:?}");
}

#[tokio::test]
async fn a_stay_and_a_link_end_by_themselves_and_the_machine_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;
    branch.tap(AT_ROWER, 1, &plain()).await;

    branch.later(5 * 60_000);
    branch.journal.let_time_pass().await.unwrap();
    let idle = loop {
        if let Some(message) = told(&branch.events.recv().await.unwrap()) {
            break message;
        }
    };
    let idle_picture = branch.until(|picture| picture.state.machine_of(ADA).is_none()).await;
    branch.later(235 * 60_000);
    branch.journal.let_time_pass().await.unwrap();

    assert!(!idle.linked);
    assert!(idle_picture.state.session(ADA).is_some());
    branch.until(|picture| picture.state.session(ADA).is_none()).await;
}

#[tokio::test]
async fn a_wall_clock_that_steps_ends_no_stay_and_prolongs_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;
    branch.tap(DOOR, 1, &plain()).await;
    let day_ms = 86_400_000;
    for step_ms in [day_ms, -day_ms, 30 * day_ms] {
        let mut stamp = branch.clock.stamp();
        stamp.wall_ms += step_ms;
        branch.clock.set(stamp);
        branch.later(60 * 60_000);
        branch.journal.let_time_pass().await.unwrap();
    }
    branch.tap(AT_ROWER, 2, &bens()).await;
    let after_three_hours = branch.until(|picture| picture.state.session(BEN).is_some()).await;

    branch.later(60 * 60_000);
    branch.journal.let_time_pass().await.unwrap();

    assert!(after_three_hours.state.session(ADA).is_some());
    branch.until(|picture| picture.state.session(ADA).is_none()).await;
}

#[tokio::test]
async fn closing_time_ends_no_stay_while_nobody_knows_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;
    let until_one = DAYS.map(|day| format!(r#""{day}":[["06:00","13:00"]]"#)).join(",");
    branch.change(vec![setting("opening_hours", &format!("{{{until_one}}}"))]).await;
    branch.tap(AT_ROWER, 1, &bens()).await;
    // Off from noon until half past ten of the next day, and without a time.
    branch.clock.set(Stamp { boot: 8, mono_ms: 10, wall_ms: 10, synced: false });
    let mut branch = branch.restarted(folder.path()).await;
    branch.tap(DOOR, 2, &plain()).await;

    branch.later(2 * HOUR_MS);
    branch.journal.let_time_pass().await.unwrap();
    let unknown = branch.until(|picture| picture.state.session(ADA).is_some()).await;
    let half_past_twelve = i64::from(NOON_S) * 1_000 + 24 * HOUR_MS.cast_signed() + 30 * 60_000;
    let mono_ms = branch.clock.stamp().mono_ms;
    branch.clock.set(Stamp { boot: 8, mono_ms, wall_ms: half_past_twelve, synced: true });
    branch.journal.let_time_pass().await.unwrap();
    let of_today = |session: &Session| session.ends_at_closing;
    branch.until(|picture| picture.state.session(ADA).is_some_and(of_today)).await;
    branch.later(HOUR_MS / 2);
    branch.journal.let_time_pass().await.unwrap();

    assert!(!unknown.state.session(ADA).unwrap().ends_at_closing);
    branch.until(|picture| picture.state.session(ADA).is_none()).await;
}

const HOUR_MS: u64 = 3_600_000;
