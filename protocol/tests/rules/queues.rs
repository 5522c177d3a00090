//! Queues: a free machine is kept for the first who waits, for a while.

use crate::kit::*;
use protocol::ids::{MemberId, SessionId};
use protocol::mqtt::payloads::DecisionAction;
use protocol::rules::{Deed, Effect, Folded, MAX_QUEUE, Means, Refusal, Request, Resolved};
use uuid::Uuid;

const NINE: i64 = 9 * 60;

fn wait(minute: i64, member: MemberId) -> (i64, Deed) {
    (minute, Deed::Enqueue { member, machine: ROWER })
}

/// Ada has the rower; Bob, then Cleo wait for it. What follows is from 09:03 on.
fn queue(until: i64, more: impl IntoIterator<Item = (i64, Deed)>) -> Folded {
    let deeds = [
        (NINE, link(10, ADA, ROWER)),
        (NINE, check_in(2, BOB)),
        (NINE, check_in(3, CLEO)),
        wait(NINE + 1, BOB),
        wait(NINE + 2, CLEO),
        (NINE + 2, Deed::Use { machine: ROWER, is_in_use: true }),
    ];
    north(until, deeds.into_iter().chain(more))
}

fn offers(folded: &Folded) -> Vec<(MemberId, i64)> {
    let offer = |effect: &Effect| match effect {
        Effect::Offered { member, until_ms, .. } => {
            Some((*member, (until_ms - MIDNIGHT_MS) / 60_000))
        }
        _ => None,
    };
    folded.effects.iter().filter_map(offer).collect()
}

#[test]
fn a_machine_that_gets_free_is_kept_for_the_first_who_waits() {
    let folded = queue(NINE + 4, [(NINE + 4, unlink(10, ROWER))]);

    assert_eq!(offers(&folded), [(BOB, NINE + 6)]);
    assert_eq!(folded.state.machine(ROWER).unwrap().queue, [CLEO]);
    let of = |member| ask(&folded.state, NINE + 5, 0, member, Request::TapMachine(ROWER));
    assert_eq!(of(CLEO), Err(Refusal::MachineKept));
    assert_eq!(of(BOB), Ok(Resolved::Deed(link(99, BOB, ROWER))));
}

#[test]
fn who_does_not_come_loses_the_place_to_the_next() {
    let folded = queue(NINE + 8, [(NINE + 4, unlink(10, ROWER))]);

    assert_eq!(offers(&folded), [(BOB, NINE + 6), (CLEO, NINE + 8)]);
    assert_eq!(folded.state.machine(ROWER).unwrap().offer, None);
    let anybody = ask(&folded.state, NINE + 8, 0, ADA, Request::Link(ROWER));
    assert_eq!(anybody, Ok(Resolved::Deed(link(99, ADA, ROWER))));
}

#[test]
fn who_comes_waits_no_more() {
    let more = [(NINE + 4, unlink(10, ROWER)), (NINE + 5, link(11, BOB, ROWER))];

    let folded = queue(NINE + 5, more);

    let rower = folded.state.machine(ROWER).unwrap();
    assert_eq!(
        (rower.holder(), rower.offer, rower.queue.as_slice()),
        (Some(BOB), None, &[CLEO][..])
    );
}

#[test]
fn who_leaves_or_gives_up_waits_no_more() {
    let dequeue = Deed::Dequeue { member: BOB, machine: ROWER };
    let gives_up = queue(NINE + 5, [(NINE + 3, dequeue), (NINE + 4, unlink(10, ROWER))]);
    let leaves = queue(NINE + 5, [(NINE + 4, unlink(10, ROWER)), (NINE + 5, check_out(2, BOB))]);

    assert_eq!(offers(&gives_up), [(CLEO, NINE + 6)]);
    assert_eq!(offers(&leaves), [(BOB, NINE + 6), (CLEO, NINE + 7)]);
}

#[test]
fn a_broken_machine_is_kept_for_nobody_until_it_is_repaired() {
    let out = |minute, is_out| (minute, Deed::OutOfOrder { machine: ROWER, is_out });
    let more = [(NINE + 4, unlink(10, ROWER)), out(NINE + 5, true), out(NINE + 30, false)];

    let folded = queue(NINE + 31, more);

    assert_eq!(offers(&folded), [(BOB, NINE + 6), (BOB, NINE + 32)]);
}

#[test]
fn a_free_machine_is_kept_at_once_for_who_begins_to_wait() {
    let folded = north(NINE + 1, [(NINE, check_in(1, ADA)), wait(NINE + 1, ADA)]);

    assert_eq!(offers(&folded), [(ADA, NINE + 3)]);
}

#[test]
fn only_who_is_inside_waits_and_only_once() {
    let folded = queue(NINE + 3, [wait(NINE + 3, CLEO), wait(NINE + 3, ADA)]);
    let of = |member| ask(&folded.state, NINE + 3, 0, member, Request::Enqueue(ROWER));

    assert_eq!(folded.state.machine(ROWER).unwrap().queue, [BOB, CLEO]);
    assert_eq!(of(BOB), Ok(Resolved::Repeat(DecisionAction::None)));
    assert_eq!(of(ADA), Err(Refusal::AlreadyLinked));
    assert_eq!(of(MemberId(Uuid::from_u128(7))), Err(Refusal::NotInside));
}

#[test]
fn a_queue_has_an_end() {
    let crowd = (1_000..).map(|number| MemberId(Uuid::from_u128(number))).take(MAX_QUEUE);
    let more = crowd.flat_map(|member| {
        let session = SessionId(member.0);
        [(NINE + 3, Deed::CheckIn { session, member, by: Means::App }), wait(NINE + 3, member)]
    });

    let folded = queue(NINE + 3, more);

    assert_eq!(folded.state.machine(ROWER).unwrap().queue.len(), MAX_QUEUE);
    let last = MemberId(Uuid::from_u128(999 + MAX_QUEUE as u128));
    let refused = ask(&folded.state, NINE + 3, 0, last, Request::Enqueue(ROWER));
    assert_eq!(refused, Err(Refusal::QueueFull));
}
