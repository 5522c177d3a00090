//! The host's side, message by message, with a board that is played by hand or by its reference core.

use super::*;
use crate::serial::board::device::{self, Device, Identity};
use crate::serial::board::{BoardOutcome, FrameReader};
use alloc::vec;
use proptest::prelude::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A link whose port was opened just now.
fn link() -> Link {
    let mut link = Link::new("press-1", 5);
    link.handle(Input::Reopened, ms(0));
    link
}

fn hello(code: &str, boot: u32) -> FirmwareMessage {
    FirmwareMessage::Hello { code: code.into(), firmware: "1.0".into(), boot }
}

fn resume(session: u32, since: u64, seq: u64) -> FirmwareMessage {
    FirmwareMessage::Resume { session, since, seq, lost: 0 }
}

fn sample(seq: u64) -> FirmwareMessage {
    FirmwareMessage::Sample { seq, uptime_ms: 0, values: vec![] }
}

fn hear(link: &mut Link, messages: &[FirmwareMessage], now: Duration) -> Vec<Output> {
    let bytes: Vec<u8> = messages.iter().flat_map(|message| encode(message).unwrap()).collect();
    link.handle(Input::Bytes(&bytes), now)
}

fn said(outputs: &[Output]) -> Vec<FirmwareMessage> {
    let bytes: Vec<u8> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Write(bytes) => Some(bytes.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    FrameReader::new().push(&bytes)
}

fn taken(outputs: &[Output]) -> Vec<u64> {
    let seq = |output: &Output| match output {
        Output::Message { message, .. } => message.seq(),
        _ => None,
    };
    outputs.iter().filter_map(seq).collect()
}

/// A link that talks with boot 9 and waits for number 1.
fn talking() -> Link {
    let mut link = link();
    hear(&mut link, &[hello("press-1", 9), resume(5, 0, 1)], ms(0));
    link
}

#[test]
fn the_expected_board_is_welcomed_until_it_says_where_it_goes_on() {
    let mut link = Link::new("press-1", 5);

    let asked = said(&link.handle(Input::Reopened, ms(0)));
    let found = hear(&mut link, &[hello("press-1", 9)], ms(20));
    let again = said(&link.handle(Input::Tick, ms(520)));
    hear(&mut link, &[resume(5, 0, 1)], ms(530));
    let later = said(&link.handle(Input::Tick, ms(1_100)));

    let welcome = FirmwareMessage::Welcome { boot: 9, session: 5 };
    assert_eq!(asked, [FirmwareMessage::Enquire]);
    assert_eq!(found[0], Output::Found { firmware: "1.0".into(), boot: 9, is_new_boot: true });
    assert_eq!([said(&found), again], [[welcome.clone()], [welcome]]);
    assert_eq!(later, []);
}

#[test]
fn another_board_is_told_of_once_and_not_listened_to() {
    let mut link = link();

    let first = hear(&mut link, &[hello("row-1", 3)], ms(0));
    let more = hear(&mut link, &[hello("row-1", 3), resume(5, 0, 1), sample(1)], ms(10));
    let right = hear(&mut link, &[hello("press-1", 4)], ms(20));

    assert_eq!(first, [Output::Foreign { code: "row-1".into() }]);
    assert_eq!(more, []);
    assert!(matches!(right[0], Output::Found { boot: 4, .. }));
}

#[test]
fn an_answer_to_a_former_host_opens_nothing() {
    let mut link = link();

    let outputs = hear(&mut link, &[hello("press-1", 9), resume(4, 0, 7), sample(7)], ms(0));

    assert!(taken(&outputs).is_empty());
}

#[test]
fn a_message_is_accepted_once_in_order_and_acked_when_settled() {
    let mut link = talking();

    let first = hear(&mut link, &[sample(1), sample(3), sample(2)], ms(10));
    let again = hear(&mut link, &[sample(1)], ms(20));
    let settled = link.handle(Input::Settled { boot: 9, seq: 1 }, ms(30));
    let late = hear(&mut link, &[sample(1)], ms(40));

    assert_eq!(taken(&first), [1, 2]);
    assert_eq!(said(&first), [FirmwareMessage::Held { seq: 2 }]);
    assert_eq!((taken(&again), said(&again)), (vec![], vec![FirmwareMessage::Held { seq: 2 }]));
    assert_eq!(said(&settled), [FirmwareMessage::Ack { seq: 1 }]);
    assert!(said(&late).contains(&FirmwareMessage::Ack { seq: 1 }));
}

#[test]
fn a_gap_counts_only_for_who_has_everything_before_it() {
    let mut link = talking();

    let too_early = hear(&mut link, &[resume(5, 2, 4), sample(4)], ms(10));
    let in_order = hear(&mut link, &[sample(1), resume(5, 2, 4), sample(4)], ms(20));

    assert_eq!((taken(&too_early), taken(&in_order)), (vec![], vec![1, 4]));
}

#[test]
fn a_full_host_accepts_nothing_and_later_everything() {
    let mut link = talking();

    link.set_full(true);
    let full = hear(&mut link, &[sample(1)], ms(10));
    link.set_full(false);
    let free = hear(&mut link, &[sample(1)], ms(600));

    assert_eq!((taken(&full), said(&full)), (vec![], vec![]));
    assert_eq!(taken(&free), [1]);
}

#[test]
fn what_a_former_boot_sent_is_never_acked_to_the_new_one() {
    let mut link = talking();
    hear(&mut link, &[sample(1)], ms(10));
    hear(&mut link, &[hello("press-1", 10), resume(5, 0, 1)], ms(20));
    hear(&mut link, &[sample(1)], ms(30));

    let old = link.handle(Input::Settled { boot: 9, seq: 1 }, ms(40));
    let new = link.handle(Input::Settled { boot: 10, seq: 1 }, ms(50));

    assert_eq!((said(&old), said(&new)), (vec![], vec![FirmwareMessage::Ack { seq: 1 }]));
}

#[test]
fn nothing_is_taken_from_a_port_that_was_opened_anew_before_its_hello() {
    let mut link = talking();
    link.handle(Input::Reopened, ms(10));

    let before = hear(&mut link, &[sample(1)], ms(20));
    let after = hear(&mut link, &[hello("press-1", 9), resume(5, 0, 1), sample(1)], ms(30));

    assert_eq!((taken(&before), taken(&after)), (vec![], vec![1]));
    assert!(matches!(after[0], Output::Found { is_new_boot: false, .. }));
}

#[test]
fn silence_is_told_once() {
    let mut link = talking();

    let mut told = Vec::new();
    while link.wake_at() < ms(200_000) {
        let at = link.wake_at();
        let outputs = link.handle(Input::Tick, at);
        told.extend(outputs.iter().filter(|output| **output == Output::Silent).map(|_| at));
    }

    assert_eq!(told, [ms(35_000)]);
}

#[test]
fn a_line_on_which_nobody_answers_is_silent_after_three_seconds() {
    let mut link = link();

    let silent = (0..=3)
        .map(|second| link.handle(Input::Tick, ms(second * 1_000)).contains(&Output::Silent));

    assert_eq!(silent.collect::<Vec<_>>(), [false, false, false, true]);
}

fn order(id: u8) -> Order {
    Order { id: [id; 16], command: "lock".into(), text: None }
}

fn ttls(outputs: &[Output]) -> Vec<u32> {
    let ttl = |message: FirmwareMessage| match message {
        FirmwareMessage::Command { ttl_ms, .. } => Some(ttl_ms),
        _ => None,
    };
    said(outputs).into_iter().filter_map(ttl).collect()
}

#[test]
fn an_order_is_repeated_with_what_is_left_of_its_time_until_it_is_answered() {
    let mut link = talking();

    let first = link.handle(Input::Order { order: order(1), ttl: ms(2_000) }, ms(100));
    let second = link.handle(Input::Tick, link.wake_at());
    let outcome = BoardOutcome::Done;
    hear(&mut link, &[FirmwareMessage::CommandResult { seq: 1, id: [1; 16], outcome }], ms(700));
    let third = link.handle(Input::Tick, ms(1_500));

    assert_eq!((ttls(&first), ttls(&second), ttls(&third)), (vec![2_000], vec![1_500], vec![]));
}

#[test]
fn an_order_past_its_time_never_reaches_the_board() {
    let mut link = talking();
    link.handle(Input::Closed, ms(50));
    link.handle(Input::Order { order: order(1), ttl: ms(2_000) }, ms(100));

    let expired = link.handle(Input::Tick, ms(2_100));
    link.handle(Input::Reopened, ms(2_200));
    let found = hear(&mut link, &[hello("press-1", 9), resume(5, 0, 1)], ms(2_200));

    let why = Unanswered::Expired;
    assert!(expired.contains(&Output::Unanswered { id: [1; 16], why }));
    assert_eq!(ttls(&found), Vec::<u32>::new());
}

#[test]
fn an_order_that_nobody_answers_is_not_said_again_when_its_time_is_over() {
    let mut link = talking();
    let first = link.handle(Input::Order { order: order(1), ttl: ms(2_000) }, ms(100));

    let ticks = (101..6_000).map(|at| ttls(&link.handle(Input::Tick, ms(at))));
    let said: Vec<u32> = ticks.flatten().collect();

    assert_eq!(ttls(&first), vec![2_000]);
    assert_eq!(said, vec![1_500, 1_000, 500]);
}

#[test]
fn a_board_that_restarts_is_not_told_the_same_order_again() {
    let mut link = talking();
    link.handle(Input::Order { order: order(1), ttl: ms(60_000) }, ms(100));

    let restarted = hear(&mut link, &[hello("press-1", 10), resume(5, 0, 1)], ms(900));

    let why = Unanswered::Restarted;
    assert!(restarted.contains(&Output::Unanswered { id: [1; 16], why }));
    assert_eq!(ttls(&restarted), Vec::<u32>::new());
}

#[test]
fn orders_are_bounded_and_must_fit_a_frame() {
    let mut link = link();
    for id in 0..16 {
        link.handle(Input::Order { order: order(id), ttl: ms(60_000) }, ms(100));
    }

    let many = link.handle(Input::Order { order: order(99), ttl: ms(60_000) }, ms(100));
    let text = Some("x".repeat(600));
    let long = Order { id: [98; 16], command: "display".into(), text };
    let long = link.handle(Input::Order { order: long, ttl: ms(60_000) }, ms(100));

    assert!(many.contains(&Output::Unanswered { id: [99; 16], why: Unanswered::TooMany }));
    assert!(long.contains(&Output::Unanswered { id: [98; 16], why: Unanswered::TooLong }));
}

proptest! {
    #[test]
    fn any_chunks_of_what_a_board_says_give_the_same(
        values in prop::collection::vec(any::<i32>(), 1..30),
        chunk in 1..60_usize,
    ) {
        let identity = Identity { code: "press-1".into(), firmware: "1".into(), boot: 9 };
        let mut board = Device::new(identity, device::Settings::default());
        let mut line = board.handle(device::Input::Tick, 0).bytes;
        for value in &values {
            board.handle(device::Input::Measured(&[(4, *value)]), 1);
        }
        let welcome = encode(&FirmwareMessage::Welcome { boot: 9, session: 5 }).unwrap();
        line.extend(board.handle(device::Input::Bytes(&welcome), 2).bytes);
        let messages = |outputs: Vec<Output>| {
            outputs.into_iter().filter(|output| matches!(output, Output::Message { .. })).collect::<Vec<_>>()
        };
        let (mut whole, mut pieces) = (link(), link());

        let expected = messages(whole.handle(Input::Bytes(&line), ms(5)));
        let found: Vec<Output> =
            line.chunks(chunk).flat_map(|piece| messages(pieces.handle(Input::Bytes(piece), ms(5)))).collect();

        prop_assert_eq!(found.len(), values.len().min(16));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_bytes_at_no_time_panic(
        inputs in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..100), 0..5_000_u64), 0..20),
    ) {
        let mut link = link();
        let mut now = ms(0);
        for (bytes, gap) in inputs {
            now += ms(gap);
            link.handle(Input::Bytes(&bytes), now);
        }
        link.handle(Input::Tick, now);
        prop_assert!(link.wake_at() > now);
    }
}
