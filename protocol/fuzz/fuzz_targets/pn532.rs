//! The line to a card reader: any portions of a stream give the same events.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::serial::pn532::{Input, Link, Settings};
use std::time::Duration;

fuzz_target!(|input: (Vec<u8>, u8)| {
    let (line, portion) = input;
    let opened = || {
        let mut link = Link::new(Settings::default());
        link.handle(Input::Opened, Duration::ZERO);
        link
    };
    let now = Duration::from_millis(5);
    let mut whole = opened();
    let events = whole.handle(Input::Bytes(&line), now);
    let mut pieces = opened();
    let portions = line.chunks(usize::from(portion).max(1));
    let again: Vec<_> =
        portions.flat_map(|bytes| pieces.handle(Input::Bytes(bytes), now)).collect();
    assert_eq!(events, again);
    assert_eq!(whole.wake_at(), pieces.wake_at());
});
