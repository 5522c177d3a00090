//! What staff ask for: allowed by the rules or refused with a reason, audited, and in force at once.

use super::floor::{ADA, BEN, ROWER, bens, floor};
use super::*;
use crate::floor::{Asker, FloorAnswer, FloorRefusal, FloorRequest, Petition};
use protocol::access::Reason;
use protocol::ids::{LinkId, SessionId};
use protocol::rules::{Deed, Means, Refusal};
use protocol::sync::staff::{Act, StaffAct};
use tokio::sync::oneshot;

type Answer = Result<FloorAnswer, FloorRefusal>;

impl Branch {
    async fn petition(&self, by: Asker, request: FloorRequest) -> oneshot::Receiver<Answer> {
        let (reply, answer) = oneshot::channel();
        self.journal.ask(Petition { by, request, id: None, reply }).await.unwrap();
        answer
    }

    /// What the cloud asks for; what begins gets this id.
    async fn app(&self, request: FloorRequest, id: u128) -> Answer {
        let (reply, answer) = oneshot::channel();
        let (by, id) = (Asker::App, Some(Uuid::from_u128(id)));
        self.journal.ask(Petition { by, request, id, reply }).await.unwrap();
        tokio::time::timeout(Duration::from_secs(20), answer).await.expect("an answer").unwrap()
    }

    async fn ask(&self, request: FloorRequest) -> Answer {
        let answer = self.petition(eva(), request).await;
        tokio::time::timeout(Duration::from_secs(20), answer).await.expect("an answer").unwrap()
    }

    /// What the edge journaled with the next commit that has such a thing.
    async fn noted(&mut self) -> Vec<Body> {
        loop {
            let commit = self.events.recv().await.unwrap();
            let said = commit.items.iter().filter(|item| item.source == Source::Edge);
            let bodies = said.filter_map(|item| match &item.what {
                What::Event(body) => Some(body.clone()),
                _ => None,
            });
            let bodies: Vec<_> = bodies.collect();
            if !bodies.is_empty() {
                return bodies;
            }
        }
    }
}

fn eva() -> Asker {
    Asker::Staff { id: None, name: "Eva".to_owned() }
}

#[tokio::test]
async fn a_check_in_by_hand_is_a_deed_and_an_entry_of_the_audit_in_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;

    let answer = branch.ask(FloorRequest::CheckIn { member: ADA }).await.unwrap();
    let again = branch.ask(FloorRequest::CheckIn { member: ADA }).await;
    let noted = branch.noted().await;

    assert_eq!(again, Err(FloorRefusal::Rules(Refusal::AlreadyInside)));
    let [Body::Deed(Deed::CheckIn { session, member: ADA, by: Means::Staff }), Body::StaffAct(act)] =
        &noted[..]
    else {
        panic!("{noted:?}")
    };
    assert_eq!(answer.session, Some(*session));
    let StaffAct { name, act, .. } = act;
    assert_eq!((name.as_str(), act), ("Eva", &Act::CheckIn { member: ADA }));
}

#[tokio::test]
async fn who_waits_is_offered_the_machine_that_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let branch = floor(folder.path()).await;
    branch.ask(FloorRequest::Link { member: ADA, machine: ROWER }).await.unwrap();
    let outside = branch.ask(FloorRequest::Enqueue { member: BEN, machine: ROWER }).await;
    branch.ask(FloorRequest::CheckIn { member: BEN }).await.unwrap();
    branch.ask(FloorRequest::Enqueue { member: BEN, machine: ROWER }).await.unwrap();

    branch.ask(FloorRequest::Unlink { machine: ROWER }).await.unwrap();
    let kept = branch.ask(FloorRequest::Link { member: ADA, machine: ROWER }).await;
    let taken = branch.ask(FloorRequest::Link { member: BEN, machine: ROWER }).await;

    assert_eq!(outside, Err(FloorRefusal::Rules(Refusal::NotInside)));
    assert_eq!(kept, Err(FloorRefusal::Rules(Refusal::MachineKept)));
    assert!(taken.is_ok());
}

#[tokio::test]
async fn the_next_card_at_the_reader_becomes_the_members_at_once_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;
    let new = Credential::NfcUid { uid: vec![9; 4] };
    let enrol = FloorRequest::EnrolCard { member: BEN, reader: DOOR };
    let answer = branch.petition(eva(), enrol.clone()).await;
    let busy = branch.ask(enrol).await;

    let elsewhere = branch.tap(GATE, 1, &new).await.reason;
    branch.journal.submit(vec![branch.received(DOOR, 2, &new, 0)]).await.unwrap();
    let given = answer.await.unwrap().unwrap();
    let noted = loop {
        let noted = branch.noted().await;
        if let [Body::Decision(decision), Body::StaffAct(act)] = &noted[..] {
            assert_eq!(decision.reason, "card_enrolled");
            break act.clone();
        }
    };
    let used = branch.tap(GATE, 3, &new).await;
    branch.journal.close().await;
    let clock = branch.clock.clone();
    drop(branch);
    let mut restarted = Branch::started(folder.path(), clock).await;
    let used_later = restarted.tap(GATE, 4, &new).await;

    assert_eq!((busy, elsewhere.as_str()), (Err(FloorRefusal::ReaderBusy), "unknown_card"));
    let Act::EnrolCard { member: BEN, credential, .. } = noted.act else { panic!("{noted:?}") };
    assert_eq!(given.credential, Some(credential));
    for used in [used, used_later] {
        assert_eq!((used.reason.as_str(), used.member), ("granted", Some(BEN)));
        assert_eq!(used.credential, Some(credential));
    }
}

#[tokio::test]
async fn a_card_of_another_member_is_not_given_away_and_nobody_waits_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;
    let enrol = FloorRequest::EnrolCard { member: BEN, reader: DOOR };

    let taken = branch.petition(eva(), enrol.clone()).await;
    let decision = branch.tap(DOOR, 1, &plain()).await;
    let late = branch.petition(eva(), enrol).await;
    branch.later(60_001);
    branch.journal.let_time_pass().await.unwrap();

    assert_eq!(decision.reason, "card_taken");
    assert_eq!(taken.await.unwrap(), Err(FloorRefusal::CardTaken));
    assert_eq!(late.await.unwrap(), Err(FloorRefusal::NoCard));
}

#[tokio::test]
async fn who_is_blocked_at_the_branch_is_out_at_once_until_staff_let_them_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;
    let reason = "took the weights home".to_owned();
    branch.ask(FloorRequest::BlockMember { member: BEN, reason }).await.unwrap();

    let blocked = branch.tap(DOOR, 1, &bens()).await.reason;
    let by_hand = branch.ask(FloorRequest::CheckIn { member: BEN }).await;
    branch.ask(FloorRequest::UnblockMember { member: BEN }).await.unwrap();
    let free = branch.tap(DOOR, 2, &bens()).await.reason;

    assert_eq!(blocked, "blocked");
    assert_eq!(by_hand, Err(FloorRefusal::Access(Reason::Blocked)));
    assert_eq!(free, "granted");
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_leaves_nothing_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let branch = floor(folder.path()).await;
    let before = branch.journal.committed().borrow().seq;
    let nobody = protocol::ids::MemberId(Uuid::from_u128(99));

    let refusals = [
        branch.ask(FloorRequest::CheckIn { member: nobody }).await,
        branch.ask(FloorRequest::Link { member: ADA, machine: DOOR }).await,
        branch.ask(FloorRequest::Unlink { machine: ROWER }).await,
        branch.ask(FloorRequest::OpenDoor { reader: DOOR, reason: " ".to_owned() }).await,
    ];

    let expected = ["unknown_member", "unknown_device", "not_linked", "invalid_text"];
    assert_eq!(refusals.map(|refusal| refusal.unwrap_err().code()), expected);
    assert_eq!(branch.journal.committed().borrow().seq, before);
}

#[tokio::test]
async fn a_machine_that_staff_took_out_of_use_is_theirs_to_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let branch = floor(folder.path()).await;
    let out = |is_out| FloorRequest::OutOfOrder { machine: ROWER, is_out, reason: None };
    branch.ask(out(true)).await.unwrap();

    let refused = branch.ask(FloorRequest::Link { member: ADA, machine: ROWER }).await;
    branch.ask(out(false)).await.unwrap();
    let lent = branch.ask(FloorRequest::Link { member: ADA, machine: ROWER }).await;

    assert_eq!(refused, Err(FloorRefusal::Rules(Refusal::MachineOutOfOrder)));
    assert!(lent.is_ok());
}

#[tokio::test]
async fn in_the_app_and_at_the_door_at_once_is_one_stay_that_either_id_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;
    branch.tap(DOOR, 1, &plain()).await;

    let begun = branch.app(FloorRequest::CheckIn { member: ADA }, 77).await.unwrap();
    let again = branch.app(FloorRequest::CheckIn { member: ADA }, 77).await.unwrap();
    let end = |id| FloorRequest::EndSession {
        member: ADA,
        sessions: vec![SessionId(Uuid::from_u128(id))],
    };
    let other = branch.app(end(78), 78).await;
    let ended = branch.app(end(77), 77).await;

    assert!(begun.is_repeat && again.is_repeat);
    assert_eq!(other, Err(FloorRefusal::Rules(Refusal::NotInside)));
    assert!(ended.is_ok());
    branch.until(|picture| picture.state.session(ADA).is_none()).await;
}

/// She was elsewhere for a moment, which this branch did not know when the app began her stay anew.
#[tokio::test]
async fn the_cloud_ends_only_what_it_knew_of_a_stay_that_has_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;
    branch.tap(DOOR, 1, &plain()).await;
    let inside = branch.until(|picture| picture.state.session(ADA).is_some()).await;
    let first = inside.state.session(ADA).unwrap().id;
    branch.app(FloorRequest::CheckIn { member: ADA }, 77).await.unwrap();

    let end = FloorRequest::EndSession { member: ADA, sessions: vec![first] };
    let told = branch.petition(Asker::Cloud, end).await.await.unwrap();
    let anew = SessionId(Uuid::from_u128(77));
    let still = branch
        .until(|picture| picture.state.session(ADA).is_some_and(|open| open.claims == [anew]))
        .await;
    let out = branch.ask(FloorRequest::CheckOut { member: ADA }).await.unwrap();

    assert!(told.is_ok());
    assert!(still.state.session(ADA).is_some());
    assert_eq!(out.session, Some(anew), "by an id that the cloud knows too");
}

#[tokio::test]
async fn apps_let_nobody_in_whom_the_door_would_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut branch = floor(folder.path()).await;
    branch.change(vec![setting("opening_hours", "{}")]).await;

    let closed = branch.app(FloorRequest::CheckIn { member: ADA }, 1).await;
    let by_hand = branch.ask(FloorRequest::CheckIn { member: ADA }).await;

    assert_eq!(closed, Err(FloorRefusal::Access(Reason::Closed)));
    assert!(by_hand.is_ok(), "staff see who stands before them");
}

#[tokio::test]
async fn a_new_edge_takes_over_who_is_inside_and_since_when() {
    let folder = tempfile::tempdir().unwrap();
    let branch = floor(folder.path()).await;
    let since_ms = i64::from(NOON_S) * 1_000 - 3_600_000;
    let (session, link) = (SessionId(Uuid::from_u128(5)), LinkId(Uuid::from_u128(6)));
    let adopt = FloorRequest::Adopt {
        sessions: vec![(session, ADA, since_ms)],
        links: vec![(link, ADA, ROWER, since_ms)],
    };

    branch.ask(adopt.clone()).await.unwrap();
    branch.ask(adopt).await.unwrap();
    let picture = branch.until(|picture| picture.state.machine_of(ADA) == Some(ROWER)).await;
    let open = picture.state.session(ADA).unwrap();

    assert_eq!((open.id, open.since_ms), (session, since_ms));
    assert_eq!(open.ends_by_ms, since_ms + 4 * 3_600_000);
}
