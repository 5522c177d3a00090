//! What a scanner types, key by key.

use super::*;
use crate::serial::scanner::{self, Input, Link};
use alloc::string::String;
use alloc::vec;
use core::time::Duration;
use proptest::prelude::*;

fn key(code: u16, value: i32) -> InputEvent {
    InputEvent { kind: EV_KEY, code, value }
}

/// Presses and releases a key, with what must be held for it.
fn strike(layout: Layout, character: char) -> Vec<InputEvent> {
    let (code, is_shift, is_alt_gr) = layout.key(character).unwrap();
    let held = [(is_shift, LEFT_SHIFT), (is_alt_gr, RIGHT_ALT)];
    let held: Vec<u16> = held.into_iter().filter(|(is, _)| *is).map(|(_, code)| code).collect();
    let mut events: Vec<InputEvent> = held.iter().map(|code| key(*code, 1)).collect();
    events.extend([key(code, 1), InputEvent { kind: EV_SYN, code: 0, value: 0 }, key(code, 0)]);
    events.extend(held.iter().map(|code| key(*code, 0)));
    events
}

fn text(decoder: &mut Decoder, events: &[InputEvent]) -> String {
    let bytes = events.iter().flat_map(|event| match decoder.take(*event) {
        Typed::Bytes(bytes) => bytes,
        Typed::Nothing | Typed::Broken => vec![],
    });
    String::from_utf8(bytes.collect()).unwrap()
}

fn typed(layout: Layout, line: &str) -> String {
    let events: Vec<InputEvent> = line.chars().flat_map(|c| strike(layout, c)).collect();
    text(&mut Decoder::new(layout), &events)
}

#[test]
fn every_printable_character_is_typed_on_an_american_keyboard() {
    let all: String = (' '..='~').collect();

    assert_eq!(typed(Layout::Us, &all), all);
}

#[test]
fn a_german_keyboard_has_all_but_its_dead_keys() {
    let all: String =
        (' '..='~').filter(|c| !"^`".contains(*c)).chain("äöüÄÖÜß§€°".chars()).collect();

    assert_eq!(typed(Layout::De, &all), all);
    assert_eq!((Layout::De.key('^'), Layout::De.key('`')), (None, None));
}

#[test]
fn the_same_keys_differ_between_the_layouts() {
    let z = [key(44, 1), key(44, 0)];

    assert_eq!(text(&mut Decoder::new(Layout::Us), &z), "z");
    assert_eq!(text(&mut Decoder::new(Layout::De), &z), "y");
}

#[test]
fn caps_lock_changes_letters_until_it_is_pressed_again() {
    let mut decoder = Decoder::new(Layout::De);
    let caps = [key(CAPS_LOCK, 1), key(CAPS_LOCK, 2), key(CAPS_LOCK, 0)];
    let line: Vec<InputEvent> = "aB1ß".chars().flat_map(|c| strike(Layout::De, c)).collect();

    text(&mut decoder, &caps);
    let locked = text(&mut decoder, &line);
    text(&mut decoder, &caps);

    assert_eq!((locked.as_str(), text(&mut decoder, &line).as_str()), ("Ab1ß", "aB1ß"));
}

#[test]
fn one_of_two_shift_keys_is_enough_and_held_keys_do_not_repeat() {
    let events = [
        key(LEFT_SHIFT, 1),
        key(RIGHT_SHIFT, 1),
        key(LEFT_SHIFT, 0),
        key(30, 1),
        key(30, 2),
        key(30, 2),
        key(30, 0),
        key(RIGHT_SHIFT, 0),
        key(30, 1),
    ];

    assert_eq!(text(&mut Decoder::new(Layout::Us), &events), "Aa");
}

#[test]
fn control_characters_are_left_out_and_the_number_block_counts() {
    let events =
        [key(LEFT_CTRL, 1), key(27, 1), key(LEFT_CTRL, 0), key(79, 1), key(80, 1), key(96, 1)];

    assert_eq!(text(&mut Decoder::new(Layout::Us), &events), "12\n");
}

#[test]
fn lost_events_break_the_line_and_release_everything() {
    let mut decoder = Decoder::new(Layout::Us);
    decoder.take(key(LEFT_SHIFT, 1));

    let broken = decoder.take(InputEvent { kind: EV_SYN, code: SYN_DROPPED, value: 0 });

    assert_eq!(broken, Typed::Broken);
    assert_eq!(text(&mut decoder, &[key(30, 1)]), "a");
}

#[test]
fn an_aim_prefix_typed_on_a_german_keyboard_is_taken_off() {
    let mut link = Link::default();

    let whole = typed(Layout::De, "]Q1G1aZ-y_") + "\n";
    let outputs = link.handle(Input::Bytes(whole.as_bytes()), Duration::ZERO);

    let at = Duration::ZERO;
    assert_eq!(outputs, [scanner::Output::Code { code: "G1aZ-y_".into(), at }]);
}

proptest! {
    #[test]
    fn events_come_back_from_their_bytes(kind in any::<u16>(), code in any::<u16>(), value in any::<i32>()) {
        let event = InputEvent { kind, code, value };

        prop_assert_eq!(InputEvent::from_bytes(&event.to_bytes()), event);
    }

    #[test]
    fn no_events_panic(events in prop::collection::vec(any::<(u16, u16, i32)>(), 0..200)) {
        for layout in [Layout::Us, Layout::De] {
            let mut decoder = Decoder::new(layout);
            for (kind, code, value) in &events {
                decoder.take(InputEvent { kind: kind % 3, code: code % 130, value: value % 3 });
            }
        }
    }
}
