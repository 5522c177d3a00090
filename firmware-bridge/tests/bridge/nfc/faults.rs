//! Every fault at every byte of every exchange ends in a working reader, and a card that lies there is reported once.

use super::simulation::*;
use firmware_bridge::emulators::pn532::{Card, Direction, Line, Planned, Timing, Trouble};
use protocol::serial::pn532::Output;
use std::time::Duration;

/// When the card is held to the reader.
const PRESENTED: Duration = ms(300);
/// By then all has been said that is said about one card, and the reader looks whether it is still there.
const READ: Duration = ms(1_000);

fn bytes_are_lost() -> Vec<Trouble> {
    vec![Trouble::Drop(1), Trouble::Drop(7)]
}

fn bytes_are_others() -> Vec<Trouble> {
    let noise = b"\x00\x00\xFF\x20\xE0\xD5\x4B\x00\xFF\x00".to_vec();
    vec![Trouble::Corrupt, Trouble::Garbage(noise)]
}

fn bytes_stand_still() -> Vec<Trouble> {
    vec![Trouble::Stall(ms(60)), Trouble::Stall(ms(2_500))]
}

fn the_reader_goes_away() -> Vec<Trouble> {
    vec![Trouble::Vanish(ms(0)), Trouble::Vanish(ms(1_500)), Trouble::BrownOut]
}

fn all() -> Vec<Trouble> {
    [bytes_are_lost(), bytes_are_others(), bytes_stand_still(), the_reader_goes_away()].concat()
}

/// Both directions with each number of bytes that pass in an undisturbed reading, `step` apart.
fn positions(cards: &[Card], step: usize) -> Vec<(Direction, u64)> {
    let mut sound = Simulation::new(Timing::real(), Line::sound());
    sound.run_until(PRESENTED);
    for card in cards {
        sound.present(card.clone());
    }
    sound.run_until(READ);
    let all = |direction| {
        let last = sound.line.passed(direction);
        (0..last).step_by(step).map(move |after| (direction, after))
    };
    all(Direction::ToHost).chain(all(Direction::ToChip)).collect()
}

/// One reading with one trouble. The cards lie there for 4.4 s after it, then another one comes.
fn survive(cards: &[Card], planned: Planned) {
    let what = format!("{planned:?}");
    let mut reader = Simulation::new(Timing::real(), Line::with(planned));
    reader.run_until(PRESENTED);
    let ids: Vec<u64> = cards.iter().map(|card| reader.present(card.clone())).collect();
    while !reader.line.has_happened() {
        assert!(reader.now < ms(20_000), "never happened: {what}");
        reader.run_until(reader.now + ms(20));
    }
    let happened = reader.now;
    reader.run_until(happened.max(PRESENTED) + ms(4_400));

    assert_eq!(reader.credentials().len(), cards.len(), "each card once: {what}");
    for id in ids {
        reader.take_away(id);
    }
    reader.run_until(happened.max(PRESENTED) + ms(5_000));
    reader.present(classic());
    reader.run_until(reader.now + ms(300));

    assert_eq!(reader.credentials().len(), cards.len() + 1, "the next card once: {what}");
    assert!(reader.faults().len() <= 1, "one line: {what}");
    let last_state = reader
        .outputs
        .iter()
        .rfind(|(_, output)| matches!(output, Output::Faulty(_) | Output::Working { .. }));
    assert!(matches!(last_state, Some((_, Output::Working { .. }))), "it says so: {what}");
}

fn survive_everywhere(cards: &[Card], troubles: &[Trouble], step: usize) {
    for trouble in troubles {
        for (direction, after) in positions(cards, step) {
            survive(cards, Planned { direction, after, trouble: trouble.clone() });
        }
    }
}

#[test]
fn a_sun_card_survives_bytes_that_are_lost_anywhere() {
    survive_everywhere(&[sun_card()], &bytes_are_lost(), 1);
}

#[test]
fn a_sun_card_survives_bytes_that_are_others_anywhere() {
    survive_everywhere(&[sun_card()], &bytes_are_others(), 1);
}

#[test]
fn a_sun_card_survives_a_line_that_stands_still_anywhere() {
    survive_everywhere(&[sun_card()], &bytes_stand_still(), 1);
}

#[test]
fn a_sun_card_survives_a_reader_that_goes_away_anywhere() {
    survive_everywhere(&[sun_card()], &the_reader_goes_away(), 1);
}

#[test]
fn a_tag_survives_every_fault_at_every_fifth_byte() {
    survive_everywhere(&[tag()], &all(), 5);
}

#[test]
fn a_phone_survives_every_fault_at_every_seventh_byte() {
    survive_everywhere(&[phone()], &all(), 7);
}

#[test]
fn two_cards_survive_every_fault_at_every_fifth_byte() {
    survive_everywhere(&[other_card(), sun_card()], &all(), 5);
}

fn other_card() -> Card {
    Card::Plain(vec![0x5A, 0x11, 0x22, 0x34])
}
