//! Machines: lent, given back, forgotten, broken, and whose work a set is.

use crate::kit::*;
use protocol::ids::SetId;
use protocol::mqtt::payloads::DecisionAction;
use protocol::rules::{Deed, Effect, LinkEnd, Means, Refusal, Request, Resolved, SessionEnd};
use uuid::Uuid;

const NINE: i64 = 9 * 60;

fn set(number: u128) -> SetId {
    SetId(Uuid::from_u128(number))
}

#[test]
fn a_machine_is_lent_until_it_is_given_back() {
    let deeds =
        [(NINE, check_in(1, ADA)), (NINE + 1, link(10, ADA, ROWER)), (NINE + 4, unlink(10, ROWER))];

    let folded = north(NINE + 60, deeds);

    assert_eq!(link_ends(&folded), [(10, NINE + 4, LinkEnd::Unlinked)]);
    assert_eq!(folded.state.machine(ROWER).unwrap().holder(), None);
}

#[test]
fn who_takes_a_machine_is_inside() {
    let folded = north(NINE, [(NINE, link(10, ADA, ROWER))]);

    assert_eq!(folded.state.session(ADA).map(|open| open.id), Some(session(10)));
    assert_eq!(folded.state.machine_of(ADA), Some(ROWER));
}

#[test]
fn a_machine_that_is_taken_is_not_lent_twice() {
    let lent = fact(NINE, NORTH, 1, link(10, ADA, ROWER));
    let folded = folded(NINE + 1, &[lent, recorded(NINE + 1, NORTH, 1, link(11, BOB, ROWER))]);

    let refused = Effect::LinkRefused { link: link_id(11), why: Refusal::MachineTaken };
    assert_eq!(folded.effects.last(), Some(&refused));
    assert_eq!(folded.state.machine_of(ADA), Some(ROWER));
    assert_eq!(folded.state.session(BOB), None);
    let tap = ask(&folded.state, NINE + 2, 0, BOB, Request::TapMachine(ROWER));
    assert_eq!(tap, Err(Refusal::MachineTaken));
}

#[test]
fn a_branch_lends_its_machine_whomever_the_cloud_has_recorded() {
    let facts = [
        recorded(NINE, NORTH, 1, link(10, ADA, ROWER)),
        fact(NINE + 1, NORTH, 1, link(11, BOB, ROWER)),
        recorded(NINE + 2, NORTH, 2, unlink(10, ROWER)),
    ];

    let lent = folded(NINE + 2, &facts);
    let back =
        folded(NINE + 3, &[&facts[..], &[fact(NINE + 3, NORTH, 2, unlink(99, ROWER))]].concat());

    assert_eq!(link_ends(&lent), [(10, NINE + 1, LinkEnd::Rejected)]);
    assert_eq!(lent.state.machine_of(BOB), Some(ROWER));
    assert_eq!(link_ends(&back).last(), Some(&(11, NINE + 3, LinkEnd::Unlinked)));
}

#[test]
fn who_takes_another_machine_gives_the_first_back() {
    let folded = north(NINE + 1, [(NINE, link(10, ADA, ROWER)), (NINE + 1, link(11, ADA, BIKE))]);

    assert_eq!(link_ends(&folded), [(10, NINE + 1, LinkEnd::Moved)]);
    assert_eq!(folded.state.machine_of(ADA), Some(BIKE));
}

#[test]
fn a_link_ends_five_minutes_after_the_last_sign_of_use() {
    let unused = north(NINE + 60, [(NINE, link(10, ADA, ROWER))]);
    let worked = north(
        NINE + 60,
        [(NINE, link(10, ADA, ROWER)), (NINE + 4, Deed::Work { machine: ROWER, set: set(1) })],
    );

    assert_eq!(link_ends(&unused), [(10, NINE + 5, LinkEnd::Idle)]);
    assert_eq!(link_ends(&worked), [(10, NINE + 9, LinkEnd::Idle)]);
}

#[test]
fn a_machine_in_use_is_not_idle() {
    let used = |minute, is_in_use| (minute, Deed::Use { machine: ROWER, is_in_use });
    let deeds = [(NINE, link(10, ADA, ROWER)), used(NINE + 1, true), used(NINE + 61, false)];

    assert_eq!(north(NINE + 65, deeds.clone()).state.machine_of(ADA), Some(ROWER));
    assert_eq!(link_ends(&north(NINE + 66, deeds)), [(10, NINE + 66, LinkEnd::Idle)]);
}

#[test]
fn no_link_outlives_its_stay() {
    let in_use = Deed::Use { machine: ROWER, is_in_use: true };
    let deeds = [(NINE, link(10, ADA, ROWER)), (NINE + 1, in_use)];

    let folded = north(NINE + 300, deeds);

    assert_eq!(link_ends(&folded), [(10, NINE + 240, LinkEnd::SessionEnded)]);
    assert_eq!(ends(&folded), [(10, NINE + 240, SessionEnd::TimeLimit)]);
}

#[test]
fn a_link_elsewhere_moves_the_stay() {
    let facts =
        [fact(NINE, NORTH, 1, link(10, ADA, ROWER)), fact(NINE + 2, SOUTH, 1, link(11, ADA, BIKE))];

    let folded = folded(NINE + 3, &facts);

    assert_eq!(link_ends(&folded), [(10, NINE + 2, LinkEnd::SessionEnded)]);
    assert!(folded.state.is_inside(ADA, SOUTH));
    assert_eq!(folded.state.machine_of(ADA), Some(BIKE));
}

#[test]
fn a_broken_machine_is_nobodys() {
    let out = |minute, is_out| (minute, Deed::OutOfOrder { machine: ROWER, is_out });
    let deeds = [(NINE, link(10, ADA, ROWER)), out(NINE + 1, true)];

    let broken = north(NINE + 2, deeds.clone());
    let repaired = north(NINE + 3, deeds.into_iter().chain([out(NINE + 3, false)]));

    assert_eq!(link_ends(&broken), [(10, NINE + 1, LinkEnd::OutOfOrder)]);
    let tap = ask(&broken.state, NINE + 2, 0, BOB, Request::TapMachine(ROWER));
    assert_eq!(tap, Err(Refusal::MachineOutOfOrder));
    let tap = ask(&repaired.state, NINE + 3, 0, BOB, Request::TapMachine(ROWER));
    assert_eq!(tap, Ok(Resolved::Deed(link(99, BOB, ROWER))));
}

#[test]
fn a_set_belongs_to_whoever_has_the_machine() {
    let work = |minute, number| (minute, Deed::Work { machine: ROWER, set: set(number) });
    let deeds = [
        work(NINE, 1),
        (NINE + 1, link(10, ADA, ROWER)),
        work(NINE + 2, 2),
        (NINE + 3, unlink(10, ROWER)),
        work(NINE + 3, 3),
    ];

    let folded = north(NINE + 4, deeds);

    let owners: Vec<_> = folded
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Attributed { set, owner, .. } => Some((set.0.as_u128(), *owner)),
            _ => None,
        })
        .collect();
    assert_eq!(owners, [(1, None), (2, Some((ADA, link_id(10)))), (3, None)]);
}

#[test]
fn taps_at_a_machine_take_it_and_give_it_back() {
    let free = north(NINE, []);
    let lent = north(NINE, [(NINE, link(10, ADA, ROWER))]);
    let tap = |state, seconds| ask(state, NINE, seconds, ADA, Request::TapMachine(ROWER));

    assert_eq!(tap(&free.state, 0), Ok(Resolved::Deed(link(99, ADA, ROWER))));
    assert_eq!(tap(&lent.state, 5), Ok(Resolved::Repeat(DecisionAction::Link)));
    assert_eq!(tap(&lent.state, 6), Ok(Resolved::Deed(unlink(10, ROWER))));
}

#[test]
fn a_double_tap_on_giving_back_does_not_take_it_again() {
    let deeds = [(NINE, link(10, ADA, ROWER)), (NINE + 1, unlink(10, ROWER))];
    let returned = north(NINE + 1, deeds);
    let tap = |member, seconds| {
        ask(&returned.state, NINE + 1, seconds, member, Request::TapMachine(ROWER))
    };

    assert_eq!(tap(ADA, 5), Ok(Resolved::Repeat(DecisionAction::Unlink)));
    assert_eq!(tap(ADA, 6), Ok(Resolved::Deed(link(99, ADA, ROWER))));
    assert_eq!(tap(BOB, 1), Ok(Resolved::Deed(link(99, BOB, ROWER))));
}

#[test]
fn in_the_app_and_at_the_machine_at_once_is_one_link() {
    let deeds = [(NINE, link(10, ADA, ROWER)), (NINE, link(11, ADA, ROWER))];
    let rejected = Deed::Unlink { link: link_id(10), machine: ROWER, by: Means::Rejected };

    let both = north(NINE, deeds.clone());
    let one = north(NINE + 1, deeds.clone().into_iter().chain([(NINE + 1, rejected)]));
    let none = north(NINE + 1, deeds.into_iter().chain([(NINE + 1, unlink(11, ROWER))]));

    let merged = Effect::LinkMerged { link: link_id(11), into: link_id(10) };
    assert_eq!(both.effects.last(), Some(&merged));
    assert_eq!(one.state.machine_of(ADA), Some(ROWER));
    assert_eq!(link_ends(&none), [(10, NINE + 1, LinkEnd::Unlinked)]);
}

#[test]
fn the_app_is_told_why_a_machine_cannot_be_taken_or_given_back() {
    let lent = north(NINE, [(NINE, link(10, ADA, ROWER))]);
    let of = |member, request| ask(&lent.state, NINE + 1, 0, member, request);

    assert_eq!(of(ADA, Request::Link(ROWER)), Err(Refusal::AlreadyLinked));
    assert_eq!(of(BOB, Request::Link(ROWER)), Err(Refusal::MachineTaken));
    assert_eq!(of(BOB, Request::Unlink(ROWER)), Err(Refusal::NotLinked));
    assert_eq!(of(BOB, Request::Unlink(BIKE)), Err(Refusal::NotLinked));
}
