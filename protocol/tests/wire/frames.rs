//! Frames of our own boards, whole, damaged and in any chunks.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use protocol::serial::board::{
    BoardOutcome, BoardState, FirmwareMessage, FrameError, FrameReader, MAX_FRAME_BYTES, decode,
    encode,
};

fn message() -> impl Strategy<Value = FirmwareMessage> {
    let states = vec![
        BoardState::Idle,
        BoardState::InUse,
        BoardState::Paused,
        BoardState::Finished,
        BoardState::OutOfOrder,
    ];
    let outcomes = vec![
        BoardOutcome::Done,
        BoardOutcome::Failed,
        BoardOutcome::Expired,
        BoardOutcome::Unknown,
    ];
    prop_oneof![
        ("[a-z0-9-]{1,64}", ".{0,32}", any::<u32>())
            .prop_map(|(code, firmware, boot)| FirmwareMessage::Hello { code, firmware, boot }),
        (any::<u64>(), any::<u64>(), vec(any::<(u8, i32)>(), 0..12)).prop_map(
            |(seq, uptime_ms, values)| FirmwareMessage::Sample { seq, uptime_ms, values }
        ),
        (
            any::<[u64; 2]>(),
            option::of(".{0,32}"),
            any::<u16>(),
            any::<(Option<u32>, Option<u32>, Option<u16>)>()
        )
            .prop_map(
                |([seq, uptime_ms], exercise, reps, (weight_cg, duration_ms, rom_mm))| {
                    FirmwareMessage::Set {
                        seq,
                        uptime_ms,
                        exercise,
                        reps,
                        weight_cg,
                        duration_ms,
                        rom_mm,
                    }
                }
            ),
        (any::<[u64; 2]>(), proptest::sample::select(states), option::of(".{0,64}")).prop_map(
            |([seq, uptime_ms], state, error)| FirmwareMessage::Status {
                seq,
                uptime_ms,
                state,
                error
            }
        ),
        any::<u64>().prop_map(|seq| FirmwareMessage::Ack { seq }),
        (any::<[u8; 16]>(), "[a-z_]{1,16}", any::<u32>())
            .prop_map(|(id, command, ttl_ms)| { FirmwareMessage::Command { id, command, ttl_ms } }),
        (any::<u64>(), any::<[u8; 16]>(), proptest::sample::select(outcomes))
            .prop_map(|(seq, id, outcome)| FirmwareMessage::CommandResult { seq, id, outcome }),
        conversation(),
    ]
}

/// What was added to the first kinds.
fn conversation() -> impl Strategy<Value = FirmwareMessage> {
    prop_oneof![
        (any::<[u64; 2]>(), any::<u16>(), vec(any::<i16>(), 0..100), any::<Option<u32>>())
            .prop_map(|([seq, uptime_ms], every_ms, position_mm, weight_cg)| {
                FirmwareMessage::Travel { seq, uptime_ms, every_ms, position_mm, weight_cg }
            }),
        any::<[u32; 2]>().prop_map(|[boot, session]| FirmwareMessage::Welcome { boot, session }),
        (any::<u32>(), any::<[u64; 3]>()).prop_map(|(session, [since, seq, lost])| {
            FirmwareMessage::Resume { session, since, seq, lost }
        }),
        any::<u64>().prop_map(|seq| FirmwareMessage::Held { seq }),
        Just(FirmwareMessage::Enquire),
        (any::<[u8; 16]>(), ".{0,64}", any::<u32>())
            .prop_map(|(id, text, ttl_ms)| FirmwareMessage::Display { id, text, ttl_ms }),
    ]
}

proptest! {
    #![proptest_config(crate::strategies::cases())]

    #[test]
    fn a_message_comes_back(message in message()) {
        let frame = encode(&message).unwrap();
        let (&delimiter, inside) = frame.split_last().unwrap();

        prop_assert_eq!(delimiter, 0);
        prop_assert!(!inside.contains(&0));
        prop_assert_eq!(decode(inside), Ok(message));
    }

    #[test]
    fn any_chunks_give_the_same_messages(
        messages in vec(message(), 1..6),
        noise in vec(1..=u8::MAX, 0..700),
        chunk in 1..200_usize,
    ) {
        let mut line = noise;
        line.push(0);
        line.extend(messages.iter().flat_map(|message| encode(message).unwrap()));

        let mut reader = FrameReader::new();
        let read: Vec<_> = line.chunks(chunk).flat_map(|chunk| reader.push(chunk)).collect();

        prop_assert_eq!(read, messages);
        prop_assert!(reader.bad_frames() <= 1);
    }

    #[test]
    fn noise_gives_nothing_and_never_panics(noise in vec(any::<u8>(), 0..2_000)) {
        prop_assert_eq!(FrameReader::new().push(&noise), vec![]);
    }

    #[test]
    fn one_flipped_bit_is_noticed(
        message in message(),
        at in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        let mut frame = encode(&message).unwrap();
        frame.pop();
        let at = at.index(frame.len());
        frame[at] ^= 1_u8 << bit;

        prop_assert!(decode(&frame).is_err());
    }
}

#[test]
fn an_overlong_frame_is_skipped_and_counted() {
    let good = FirmwareMessage::Ack { seq: 7 };
    let mut line = vec![1; MAX_FRAME_BYTES * 3];
    line.push(0);
    line.extend(encode(&good).unwrap());
    let mut reader = FrameReader::new();

    assert_eq!(reader.push(&line), [good]);
    assert_eq!(reader.bad_frames(), 1);
}

#[test]
fn a_message_that_does_not_fit_is_refused() {
    let error = Some("x".repeat(MAX_FRAME_BYTES));
    let message = FirmwareMessage::Status { seq: 1, uptime_ms: 1, state: BoardState::Idle, error };

    assert_eq!(encode(&message), Err(FrameError::TooLong));
}

#[test]
fn zeros_around_a_full_run_survive() {
    let check = |length: usize| {
        let error = Some(format!("{}\0{}", "x".repeat(length), "y".repeat(20)));
        let message =
            FirmwareMessage::Status { seq: 1, uptime_ms: 1, state: BoardState::Idle, error };
        let mut frame = encode(&message).unwrap();
        frame.pop();
        assert_eq!(decode(&frame), Ok(message), "{length}");
    };
    (235..=262).for_each(check);
}
