//! Stays: one per member, begun and ended by tap, app and time.

use crate::kit::*;
use protocol::mqtt::payloads::DecisionAction;
use protocol::rules::{Deed, Effect, Fact, Means, Refusal, Request, Resolved};
use protocol::rules::{SessionEnd, fold};

const NINE: i64 = 9 * 60;

#[test]
fn a_stay_lasts_from_check_in_to_check_out() {
    let folded = north(NINE + 60, [(NINE, check_in(1, ADA)), (NINE + 50, check_out(1, ADA))]);

    let (session, member, branch) = (session(1), ADA, NORTH);
    let (since_ms, until_ms, why) = (ms(NINE), ms(NINE + 50), SessionEnd::CheckedOut);
    assert_eq!(
        folded.effects,
        [
            Effect::SessionStarted { session, member, branch, since_ms },
            Effect::SessionEnded {
                session,
                claims: vec![session],
                member,
                branch,
                since_ms,
                until_ms,
                why,
            },
        ]
    );
    assert_eq!(folded.state.session(ADA), None);
}

#[test]
fn a_stay_ends_by_itself_after_four_hours() {
    let before = north(NINE + 239, [(NINE, check_in(1, ADA))]);
    let after = north(NINE + 240, [(NINE, check_in(1, ADA))]);

    assert!(before.state.is_inside(ADA, NORTH));
    assert_eq!(ends(&after), [(1, NINE + 240, SessionEnd::TimeLimit)]);
}

#[test]
fn a_stay_ends_at_closing_time() {
    let folded = north(24 * 60, [(21 * 60, check_in(1, ADA))]);

    assert_eq!(ends(&folded), [(1, 23 * 60, SessionEnd::Closing)]);
}

/// The same moment for whoever folds it, however late.
#[test]
fn an_end_by_time_comes_before_the_fact_that_reveals_it() {
    let folded = north(24 * 60, [(NINE, check_in(1, ADA)), (NINE + 300, check_in(2, ADA))]);

    assert_eq!(
        ends(&folded),
        [(1, NINE + 240, SessionEnd::TimeLimit), (2, NINE + 540, SessionEnd::TimeLimit)]
    );
}

#[test]
fn a_check_out_that_the_cloud_recorded_of_a_stay_that_is_over_does_nothing() {
    let facts = [
        fact(NINE, NORTH, 1, check_in(1, ADA)),
        fact(NINE + 5, NORTH, 2, check_out(1, ADA)),
        fact(NINE + 9, NORTH, 3, check_in(2, ADA)),
        recorded(NINE + 10, NORTH, 1, check_out(1, ADA)),
    ];

    let folded = folded(NINE + 60, &facts);

    assert_eq!(folded.state.session(ADA).map(|open| open.id), Some(session(2)));
}

/// She moved to the south and back before the north knew; there it is one stay all along.
#[test]
fn whom_a_branch_lets_out_is_out_of_it_whatever_the_stay_is_called() {
    let facts = [
        fact(NINE, NORTH, 1, check_in(1, ADA)),
        fact(NINE + 1, SOUTH, 1, check_in(2, ADA)),
        fact(NINE + 2, NORTH, 2, check_in(3, ADA)),
        fact(NINE + 3, NORTH, 3, check_out(1, ADA)),
    ];

    let folded = folded(NINE + 4, &facts);

    let last = (3, NINE + 3, SessionEnd::CheckedOut);
    assert_eq!(ends(&folded).last(), Some(&last));
    assert_eq!(folded.state.session(ADA), None);
}

#[test]
fn a_member_is_in_one_branch_at_a_time() {
    let facts = [
        fact(NINE, NORTH, 1, check_in(1, ADA)),
        fact(NINE + 30, SOUTH, 1, check_in(2, ADA)),
        fact(NINE + 60, NORTH, 2, check_out(1, ADA)),
    ];

    let folded = folded(NINE + 90, &facts);

    assert_eq!(ends(&folded), [(1, NINE + 30, SessionEnd::Elsewhere)]);
    assert!(folded.state.is_inside(ADA, SOUTH));
}

/// The cloud has recorded the app's wish while the edge was silent; the edge journaled a tap of the same minute.
fn in_the_app_and_at_the_door() -> [Fact; 2] {
    let deed = Deed::CheckIn { session: session(1), member: ADA, by: Means::App };
    [recorded(NINE, NORTH, 1, deed), fact(NINE, NORTH, 1, check_in(2, ADA))]
}

#[test]
fn in_the_app_and_at_the_door_at_once_is_one_stay() {
    let [app, door] = in_the_app_and_at_the_door();

    let folded = fold(&rules(), [&door, &app]);

    let open = folded.state.session(ADA).unwrap();
    assert_eq!((open.id, open.claims.as_slice()), (session(1), &[session(1), session(2)][..]));
    let merged = Effect::SessionMerged { session: session(2), into: session(1) };
    assert_eq!(folded.effects.last(), Some(&merged));
}

#[test]
fn either_of_its_ids_ends_a_stay() {
    let [app, door] = in_the_app_and_at_the_door();
    let out = fact(NINE + 20, NORTH, 2, check_out(2, ADA));

    let folded = fold(&rules(), [&app, &door, &out]);

    assert_eq!(ends(&folded), [(1, NINE + 20, SessionEnd::CheckedOut)]);
}

#[test]
fn what_the_edge_rejects_takes_only_its_own_claim_away() {
    let [app, door] = in_the_app_and_at_the_door();
    let rejected = Deed::CheckOut { session: session(1), member: ADA, by: Means::Rejected };
    let rejected = fact(NINE + 20, NORTH, 2, rejected);

    let both = fold(&rules(), [&app, &door, &rejected]);
    let alone = fold(&rules(), [&app, &rejected]);

    assert!(both.state.is_inside(ADA, NORTH));
    assert_eq!(ends(&alone), [(1, NINE + 20, SessionEnd::Rejected)]);
}

#[test]
fn taps_at_a_door_for_both_ways_come_and_go() {
    let outside = north(NINE, []);
    let inside = north(NINE, [(NINE, check_in(1, ADA))]);

    let comes = ask(&outside.state, NINE, 0, ADA, Request::TapDoor);
    let goes = ask(&inside.state, NINE + 1, 0, ADA, Request::TapDoor);

    assert_eq!(comes, Ok(Resolved::Deed(check_in(99, ADA))));
    assert_eq!(goes, Ok(Resolved::Deed(check_out(1, ADA))));
}

#[test]
fn a_second_tap_within_half_a_minute_means_the_same() {
    let inside = north(NINE, [(NINE, check_in(1, ADA))]);
    let gone = north(NINE + 5, [(NINE, check_in(1, ADA)), (NINE + 5, check_out(1, ADA))]);

    let again = ask(&inside.state, NINE, 30, ADA, Request::TapDoor);
    let out_again = ask(&gone.state, NINE + 5, 30, ADA, Request::TapDoor);
    let later = ask(&gone.state, NINE + 5, 31, ADA, Request::TapDoor);

    assert_eq!(again, Ok(Resolved::Repeat(DecisionAction::CheckIn)));
    assert_eq!(out_again, Ok(Resolved::Repeat(DecisionAction::CheckOut)));
    assert_eq!(later, Ok(Resolved::Deed(check_in(99, ADA))));
}

#[test]
fn doors_of_one_way_do_not_toggle() {
    let inside = north(NINE, [(NINE, check_in(1, ADA))]);
    let entry = |minute| ask(&inside.state, minute, 0, ADA, Request::TapEntry);
    let exit = |minute| ask(&inside.state, minute, 0, ADA, Request::TapExit);

    assert_eq!(entry(NINE + 60), Ok(Resolved::Repeat(DecisionAction::CheckIn)));
    assert_eq!(entry(NINE + 241), Ok(Resolved::Deed(check_in(99, ADA))));
    assert_eq!(exit(NINE + 60), Ok(Resolved::Deed(check_out(1, ADA))));
    assert_eq!(exit(NINE + 241), Ok(Resolved::Repeat(DecisionAction::CheckOut)));
}

#[test]
fn the_app_is_told_when_there_is_nothing_to_begin_or_end() {
    let inside = north(NINE, [(NINE, check_in(1, ADA))]);

    let begins = ask(&inside.state, NINE + 1, 0, ADA, Request::Start);
    let ends = ask(&inside.state, NINE + 1, 0, BOB, Request::End);

    assert_eq!(begins, Err(Refusal::AlreadyInside));
    assert_eq!(ends, Err(Refusal::NotInside));
}

#[test]
fn a_stay_that_a_link_implies_ends_when_its_branch_lets_its_member_out() {
    let facts = [
        fact(NINE, NORTH, 1, check_in(1, ADA)),
        fact(NINE + 1, SOUTH, 1, check_in(2, ADA)),
        fact(NINE + 2, NORTH, 2, link(3, ADA, ROWER)),
        fact(NINE + 3, NORTH, 3, check_out(1, ADA)),
    ];

    let folded = folded(NINE + 4, &facts);

    let elsewhere = SessionEnd::Elsewhere;
    let expected =
        [(1, NINE + 1, elsewhere), (2, NINE + 2, elsewhere), (3, NINE + 3, SessionEnd::CheckedOut)];
    assert_eq!(ends(&folded), expected);
}
