//! Frames of boards: any chunks of a stream give the same messages, and neither end of the line minds any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::serial::board::device::{self, Device, Identity};
use protocol::serial::board::link::{self, Link};
use protocol::serial::board::{FrameReader, decode, encode};
use std::time::Duration;

fuzz_target!(|input: (Vec<u8>, u8)| {
    let (line, chunk) = input;
    let mut whole = FrameReader::new();
    let messages = whole.push(&line);
    let mut pieces = FrameReader::new();
    let chunks = line.chunks(usize::from(chunk).max(1));
    let again: Vec<_> = chunks.flat_map(|chunk| pieces.push(chunk)).collect();
    assert_eq!(messages, again);
    assert_eq!(whole.bad_frames(), pieces.bad_frames());
    for message in messages {
        let frame = encode(&message).expect("it came in a frame");
        assert_eq!(decode(&frame[..frame.len() - 1]), Ok(message));
    }
    let mut host = Link::new("press-1", 1);
    host.handle(link::Input::Reopened, Duration::ZERO);
    host.handle(link::Input::Bytes(&line), Duration::from_secs(1));
    let identity = Identity { code: "press-1".into(), firmware: String::new(), boot: 1 };
    let mut board = Device::new(identity, device::Settings::default());
    board.handle(device::Input::Measured(&[(4, 1)]), 1);
    board.handle(device::Input::Bytes(&line), 2);
});
