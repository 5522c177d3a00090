//! Bytes of a scanner become codes, each presentation once.

use super::*;
use proptest::prelude::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn bytes(link: &mut Link, bytes: &[u8], now: Duration) -> Vec<String> {
    codes(link.handle(Input::Bytes(bytes), now))
}

fn codes(outputs: Vec<Output>) -> Vec<String> {
    outputs.into_iter().map(|Output::Code { code, .. }| code).collect()
}

#[test]
fn every_ending_completes_a_code() {
    let mut link = Link::default();

    assert_eq!(bytes(&mut link, b"one\rtwo\nthree\r\nfour", ms(0)), ["one", "two", "three"]);
    assert_eq!(link.wake_at(), Some(ms(100)));
    assert_eq!(codes(link.handle(Input::Tick, ms(99))), Vec::<String>::new());
    assert_eq!(codes(link.handle(Input::Tick, ms(100))), ["four"]);
    assert_eq!(link.wake_at(), None);
}

#[test]
fn a_code_after_silence_carries_the_time_of_its_last_byte() {
    let mut link = Link::default();

    link.handle(Input::Bytes(b"a"), ms(40));
    let outputs = link.handle(Input::Tick, ms(500));

    assert_eq!(outputs, [Output::Code { code: "a".into(), at: ms(40) }]);
}

#[test]
fn bytes_after_silence_begin_a_new_code_even_without_a_tick() {
    let mut link = Link::default();

    assert!(bytes(&mut link, b"one", ms(0)).is_empty());
    assert_eq!(bytes(&mut link, b"two\n", ms(150)), ["one", "two"]);
}

#[test]
fn slow_bytes_within_the_idle_time_are_one_code() {
    let mut link = Link::default();

    for (at, byte) in [(0, b"a"), (90, b"b"), (180, b"c")] {
        assert!(bytes(&mut link, byte, ms(at)).is_empty());
    }

    assert_eq!(codes(link.handle(Input::Tick, ms(280))), ["abc"]);
}

#[test]
fn a_scanner_that_always_ends_its_lines_never_gives_half_a_code() {
    let settings = Settings { ending: Ending::Line, ..Settings::default() };
    let mut link = Link::new(settings);

    assert!(bytes(&mut link, b"G1half", ms(0)).is_empty());
    assert_eq!(bytes(&mut link, b"-whole\n", ms(900)), ["G1half-whole"]);
    assert!(bytes(&mut link, b"G1half", ms(2_000)).is_empty());
    assert!(link.handle(Input::Tick, ms(3_000)).is_empty());
    assert_eq!(bytes(&mut link, b"G1next\n", ms(3_100)), ["G1next"]);
    assert_eq!(link.counts().partial, 1);
}

#[test]
fn a_reopened_port_forgets_the_half_line() {
    let mut link = Link::default();

    bytes(&mut link, b"G1ha", ms(0));
    link.handle(Input::Reopened, ms(50));

    assert_eq!(bytes(&mut link, b"G1next\n", ms(60)), ["G1next"]);
    assert_eq!(link.counts().partial, 1);
}

#[test]
fn an_overlong_line_is_discarded_to_its_end_and_counted() {
    let mut link = Link::default();
    let longest = "x".repeat(MAX_LINE);

    assert_eq!(bytes(&mut link, format!("{longest}\n").as_bytes(), ms(0)), [longest.as_str()]);
    assert!(bytes(&mut link, format!("y{longest}").as_bytes(), ms(0)).is_empty());
    assert_eq!(bytes(&mut link, b"tail\nG1ok\n", ms(10)), ["G1ok"]);
    assert_eq!(link.counts().overlong, 1);
}

#[test]
fn an_overlong_line_without_ending_stops_at_silence() {
    let mut link = Link::default();

    bytes(&mut link, "z".repeat(4 * MAX_LINE).as_bytes(), ms(0));

    assert!(link.handle(Input::Tick, ms(100)).is_empty());
    assert_eq!(bytes(&mut link, b"G1ok\n", ms(200)), ["G1ok"]);
    assert_eq!(link.counts(), Counts { overlong: 1, ..Counts::default() });
}

#[test]
fn the_same_code_within_three_seconds_is_one_presentation() {
    let mut link = Link::default();

    assert_eq!(bytes(&mut link, b"a\n", ms(0)), ["a"]);
    assert_eq!(bytes(&mut link, b"b\n", ms(500)), ["b"]);
    assert!(bytes(&mut link, b"]Q1a\r\n", ms(2_900)).is_empty());
    assert!(bytes(&mut link, b"a\n", ms(5_800)).is_empty());
    assert_eq!(bytes(&mut link, b"a\n", ms(8_800)), ["a"]);
    assert_eq!(link.counts().repeated, 2);
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_codes(
        stream in prop::collection::vec(
            prop_oneof![3 => prop::sample::select(b"G1]Qd2\\0\r\n".to_vec()), 1 => any::<u8>()],
            0..1500,
        ),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let mut whole = Link::default();
        let mut chunked = Link::default();

        let mut expected = whole.handle(Input::Bytes(&stream), ms(5));
        expected.extend(whole.handle(Input::Tick, ms(500)));
        let mut found = Vec::new();
        let mut from = 0;
        for to in cuts.into_iter().chain([stream.len()]) {
            found.extend(chunked.handle(Input::Bytes(&stream[from..to]), ms(5)));
            from = to;
        }
        found.extend(chunked.handle(Input::Tick, ms(500)));

        prop_assert_eq!(found, expected);
        prop_assert_eq!(chunked.counts(), whole.counts());
    }

    #[test]
    fn no_bytes_at_no_time_panic_or_grow_the_link(
        inputs in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..700), 0..5_000_u64, any::<bool>()), 0..40),
        line in any::<bool>(),
    ) {
        let ending = if line { Ending::Line } else { Ending::Any };
        let mut link = Link::new(Settings { ending, ..Settings::default() });
        let mut now = ms(0);
        for (chunk, gap, reopened) in inputs {
            now += ms(gap);
            let input = if reopened { Input::Reopened } else { Input::Bytes(&chunk) };
            for Output::Code { code, at } in link.handle(input, now) {
                prop_assert!(at <= now);
                prop_assert!(!code.is_empty() && code.chars().count() <= MAX_LINE);
            }
        }
        prop_assert!(link.line.len() <= MAX_LINE && link.recent.len() <= MAX_RECENT);
    }

    #[test]
    fn a_printable_code_comes_out_as_it_went_in(
        code in "[!-\\[\\^-~]{1,512}",
        ending in prop::sample::select(vec!["\r", "\n", "\r\n", ""]),
    ) {
        let mut link = Link::default();

        let mut found = bytes(&mut link, format!("{code}{ending}").as_bytes(), ms(0));
        found.extend(codes(link.handle(Input::Tick, ms(100))));

        prop_assert_eq!(found, [code]);
    }
}
