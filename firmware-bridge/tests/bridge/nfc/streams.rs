//! Whatever comes over the line, in whatever portions.

use super::simulation::*;
use firmware_bridge::emulators::pn532::{Chip, Timing};
use proptest::prelude::*;
use protocol::serial::pn532::{Input, Link, Output, Settings};

/// What a chip might send, whole or broken.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let frame = prop::sample::select(vec![
        "0000FF00FF00",
        "0000FF02FED5151600",
        "0000FF06FAD50332010607E800",
        "0000FF02FED533F800",
        "0000FF0FF1D54B01010044000704A1B2C3D4E5F6CA00",
        "0000FF03FDD54B00E000",
        "0000FF03FDD54101E900",
        "0000FF11EFD54B010100042004081122330578807002D900",
        "0000FF01FF7F8100",
    ]);
    let frame = frame.prop_map(hex_bytes);
    let noise = prop::collection::vec(any::<u8>(), 0..12);
    let part = prop_oneof![4 => frame, 1 => noise];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

fn hex_bytes(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// A link that has been opened and has said its first command.
fn opened() -> Link {
    let mut link = Link::new(Settings::default());
    link.handle(Input::Opened, ms(0));
    link
}

proptest! {
    #[test]
    fn any_chunking_of_any_stream_gives_the_same_events(
        stream in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let (mut whole, mut chunked) = (opened(), opened());

        let expected = whole.handle(Input::Bytes(&stream), ms(5));
        let mut found = Vec::new();
        let mut from = 0;
        for to in cuts.into_iter().chain([stream.len()]) {
            found.extend(chunked.handle(Input::Bytes(&stream[from..to]), ms(5)));
            from = to;
        }

        prop_assert_eq!(found, expected);
        prop_assert_eq!(chunked.wake_at(), whole.wake_at());
    }

    #[test]
    fn no_bytes_at_no_time_panic_and_the_link_never_rests(
        inputs in prop::collection::vec((stream(), 0..3_000_u64, 0..8_u8), 0..30),
    ) {
        let mut link = opened();
        let mut now = ms(0);
        for (bytes, gap, kind) in inputs {
            now += ms(gap);
            let input = match kind {
                0 => Input::Opened,
                1 => Input::Tick,
                2 => Input::Nonce { request: 1, nonce: NONCE, site_no: SITE },
                _ => Input::Bytes(&bytes),
            };
            for output in link.handle(input, now) {
                if let Output::Presented { at, .. } = output {
                    prop_assert!(at <= now);
                }
            }
            prop_assert!(link.wake_at().is_some());
        }
    }

    #[test]
    fn no_bytes_panic_the_emulated_chip(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        frames in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..20),
    ) {
        let mut chip = Chip::new(Timing::real());
        chip.present(tag(), ms(0));
        chip.receive(&[0x55; 40], ms(1));
        chip.receive(&bytes, ms(10));
        for (number, (command, data)) in (0..).zip(frames) {
            let body = [&[0xD4, command], data.as_slice()].concat();
            let frame = protocol::serial::pn532::frame::Frame::Body(body).encode();
            chip.receive(&frame, ms(100 + number * 50));
            chip.send(ms(140 + number * 50));
        }
    }
}
