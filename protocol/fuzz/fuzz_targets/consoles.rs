//! What consoles say: any pieces of a stream give the same frames, and no notification or answer panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::machine::csafe::{Dialect, decode};
use protocol::machine::ftms;
use protocol::serial::csafe::frame::{FrameReader, encode};

fuzz_target!(|input: (Vec<u8>, u8)| {
    let (bytes, chunk) = input;
    for characteristic in ftms::CHARACTERISTICS {
        let _ = ftms::decode(characteristic, &bytes);
    }
    let mut whole = FrameReader::default();
    let frames = whole.push(&bytes);
    let mut pieces = FrameReader::default();
    let chunks = bytes.chunks(usize::from(chunk).max(1));
    let again: Vec<_> = chunks.flat_map(|chunk| pieces.push(chunk)).collect();
    assert_eq!(frames, again);
    assert_eq!(whole.damaged(), pieces.damaged());
    for frame in frames {
        let sent = encode(&frame.contents, frame.addresses);
        assert_eq!(FrameReader::default().push(&sent), [frame]);
        let _ = decode(&sent, Dialect::default());
    }
});
