//! Frames of boards: any chunks of a stream give the same messages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::serial::board::{FrameReader, decode, encode};

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
});
