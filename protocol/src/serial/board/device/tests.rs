//! What a board says and keeps, message by message.

use super::*;
use crate::serial::board::{BOARD_VERSION, encode};
use alloc::vec;

const BOOT: u32 = 77;

fn device() -> Device {
    device_of(256)
}

fn device_of(capacity: usize) -> Device {
    let identity = Identity { code: "press-1".into(), firmware: "1.0".into(), boot: BOOT };
    Device::new(identity, Settings { capacity, ..Settings::default() })
}

fn said(reaction: &Reaction) -> Vec<FirmwareMessage> {
    FrameReader::new().push(&reaction.bytes)
}

fn tell(device: &mut Device, message: &FirmwareMessage, now_ms: u64) -> Reaction {
    device.handle(Input::Bytes(&encode(message).unwrap()), now_ms)
}

fn welcome() -> FirmwareMessage {
    FirmwareMessage::Welcome { boot: BOOT, session: 5 }
}

fn measure(device: &mut Device, now_ms: u64) -> Vec<FirmwareMessage> {
    said(&device.handle(Input::Measured(&[(4, 2_500)]), now_ms))
}

fn seqs(messages: &[FirmwareMessage]) -> Vec<u64> {
    messages.iter().filter_map(FirmwareMessage::seq).collect()
}

fn is_hello(messages: &[FirmwareMessage]) -> bool {
    matches!(messages, [FirmwareMessage::Hello { boot: BOOT, .. }])
}

/// A board that talks, with everything before it acked.
fn talking() -> Device {
    let mut device = device();
    device.handle(Input::Tick, 0);
    tell(&mut device, &welcome(), 10);
    device
}

#[test]
fn it_says_hello_every_second_until_its_own_boot_is_welcomed() {
    let mut device = device();

    assert!(is_hello(&said(&device.handle(Input::Tick, 0))));
    assert_eq!(device.wake_at_ms(), 1_000);
    assert!(said(&device.handle(Input::Tick, 999)).is_empty());
    assert!(is_hello(&said(&device.handle(Input::Tick, 1_000))));
    tell(&mut device, &FirmwareMessage::Welcome { boot: BOOT + 1, session: 5 }, 1_100);
    assert!(is_hello(&said(&device.handle(Input::Tick, 2_000))));
    let answer = said(&tell(&mut device, &welcome(), 2_100));

    assert_eq!(answer, [FirmwareMessage::Resume { session: 5, since: 0, seq: 1, lost: 0 }]);
}

#[test]
fn what_was_measured_before_the_welcome_follows_it_in_order() {
    let mut device = device();
    device.handle(Input::Tick, 0);
    assert!(measure(&mut device, 5).is_empty());
    assert!(measure(&mut device, 6).is_empty());

    let answer = said(&tell(&mut device, &welcome(), 10));

    assert_eq!(answer[0], FirmwareMessage::Resume { session: 5, since: 0, seq: 1, lost: 0 });
    assert_eq!(seqs(&answer), [1, 2]);
    assert_eq!(
        answer[1],
        FirmwareMessage::Sample { seq: 1, uptime_ms: 5, values: vec![(4, 2_500)] }
    );
}

#[test]
fn what_has_not_arrived_comes_again_more_and_more_patiently() {
    let mut device = talking();
    assert_eq!(seqs(&measure(&mut device, 100)), [1]);
    assert_eq!(seqs(&measure(&mut device, 200)), [2]);

    let mut again = Vec::new();
    for _ in 0..4 {
        let at_ms = device.wake_at_ms();
        again.push((at_ms, seqs(&said(&device.handle(Input::Tick, at_ms)))));
    }

    let both = vec![1, 2];
    assert_eq!(
        again,
        [(510, both.clone()), (1_510, both.clone()), (3_510, both.clone()), (7_510, both)]
    );
}

#[test]
fn what_has_arrived_is_kept_until_its_ack_and_offered_now_and_then() {
    let mut device = talking();
    measure(&mut device, 100);
    measure(&mut device, 100);
    tell(&mut device, &FirmwareMessage::Held { seq: 2 }, 150);
    tell(&mut device, &FirmwareMessage::Ack { seq: 1 }, 160);

    assert_eq!(device.unacked(), 1);
    device.handle(Input::Tick, 650);
    assert_eq!(device.wake_at_ms(), 5_100);
    assert_eq!(seqs(&said(&device.handle(Input::Tick, 5_100))), [2]);
    tell(&mut device, &FirmwareMessage::Ack { seq: 2 }, 5_200);
    assert_eq!(device.unacked(), 0);
}

#[test]
fn only_so_much_is_on_its_way_at_a_time() {
    let mut device = talking();

    let sent: Vec<u64> = (0..40).flat_map(|_| seqs(&measure(&mut device, 100))).collect();
    let more = said(&tell(&mut device, &FirmwareMessage::Held { seq: 10 }, 120));

    assert_eq!(sent, (1..=16).collect::<Vec<_>>());
    assert_eq!(seqs(&more), (17..=26).collect::<Vec<_>>());
}

#[test]
fn a_host_that_asks_hears_everything_again_and_the_state() {
    let mut device = talking();
    device.handle(Input::State { state: BoardState::InUse, error: None }, 50);
    measure(&mut device, 100);
    tell(&mut device, &FirmwareMessage::Held { seq: 2 }, 110);
    tell(&mut device, &FirmwareMessage::Ack { seq: 1 }, 110);

    let hello = said(&tell(&mut device, &FirmwareMessage::Enquire, 200));
    let quiet = measure(&mut device, 250);
    let all = said(&tell(&mut device, &welcome(), 300));

    assert!(is_hello(&hello) && quiet.is_empty());
    assert_eq!(seqs(&all), [2, 3, 4]);
    assert!(matches!(all[3], FirmwareMessage::Status { state: BoardState::InUse, .. }));
}

#[test]
fn numbers_that_were_dropped_are_announced() {
    let mut device = device_of(2);
    device.handle(Input::Tick, 0);
    for at_ms in [0, 20_000, 40_000] {
        measure(&mut device, at_ms);
    }
    let all = said(&tell(&mut device, &welcome(), 41_000));
    assert_eq!(all[0], FirmwareMessage::Resume { session: 5, since: 0, seq: 2, lost: 1 });
    tell(&mut device, &FirmwareMessage::Held { seq: 2 }, 41_000);

    // Number 3 is on its way when it is dropped.
    let set = FinishedSet { reps: 9, ..FinishedSet::default() };
    device.handle(Input::SetFinished(set), 41_100);
    device.handle(Input::SetFinished(set), 41_100);
    let again = said(&device.handle(Input::Tick, 42_500));

    assert_eq!(again[0], FirmwareMessage::Resume { session: 5, since: 3, seq: 4, lost: 3 });
    assert_eq!(seqs(&again), [4, 5]);
}

#[test]
fn a_message_too_long_for_a_frame_is_lost_and_blocks_nothing() {
    let mut device = talking();
    let long = "x".repeat(600);

    device.handle(Input::State { state: BoardState::Idle, error: Some(&long) }, 20);

    assert_eq!(seqs(&measure(&mut device, 30)), [1]);
    assert_eq!(device.lost(), 1);
}

#[test]
fn an_order_is_given_once_with_a_time_of_this_board() {
    let mut device = talking();
    let lock = FirmwareMessage::Command { id: [1; 16], command: "lock".into(), ttl_ms: 700 };

    let first = tell(&mut device, &lock, 1_000);
    let second = tell(&mut device, &lock, 1_200);
    let ended = Input::OrderEnded { id: [1; 16], outcome: BoardOutcome::Done };
    let result = said(&device.handle(ended, 1_300));

    let order = Order { id: [1; 16], command: "lock".into(), text: None, until_ms: 1_700 };
    assert_eq!((first.orders, second.orders), (vec![order], vec![]));
    let outcome = BoardOutcome::Done;
    assert_eq!(result, [FirmwareMessage::CommandResult { seq: 1, id: [1; 16], outcome }]);
}

#[test]
fn an_order_without_time_left_ends_as_expired() {
    let mut device = talking();

    let text = "Hello".into();
    let reaction =
        tell(&mut device, &FirmwareMessage::Display { id: [2; 16], text, ttl_ms: 0 }, 1_000);

    assert!(reaction.orders.is_empty());
    let outcome = BoardOutcome::Expired;
    assert_eq!(said(&reaction), [FirmwareMessage::CommandResult { seq: 1, id: [2; 16], outcome }]);
}

#[test]
fn a_silent_board_gives_a_sign_of_life() {
    let mut device = talking();
    device.handle(Input::Tick, 510);

    assert_eq!(device.wake_at_ms(), 10_010);
    assert!(is_hello(&said(&device.handle(Input::Tick, 10_010))));
    assert_eq!(seqs(&measure(&mut device, 10_020)), [1]);
}

#[test]
fn noise_and_messages_of_boards_are_ignored() {
    let mut device = talking();

    device.handle(Input::Bytes(&[BOARD_VERSION, 0, 0, 255, 1, 2, 3, 0]), 20);
    tell(&mut device, &FirmwareMessage::Held { seq: 99 }, 20);
    tell(&mut device, &FirmwareMessage::Ack { seq: 99 }, 20);
    tell(
        &mut device,
        &FirmwareMessage::Hello { code: "a".into(), firmware: "b".into(), boot: 1 },
        20,
    );

    assert_eq!(seqs(&measure(&mut device, 30)), [1]);
    assert_eq!(device.unacked(), 1);
}
