//! What is held to a sound reader is reported once, as what it is.

use super::simulation::*;
use firmware_bridge::emulators::pn532::{
    Card, Line, Model, Ntag, Ntag424, SunKeys, Timing, Willingness,
};
use protocol::credential::Credential;
use protocol::serial::pn532::{Notice, Output};
use protocol::serial::tag::ABSENCE;
use protocol::serial::tag::ndef::Record;
use std::time::Duration;

/// A reader that has been up for a second.
fn reader() -> Simulation {
    let mut reader = Simulation::new(Timing::real(), Line::sound());
    reader.run_until(ms(1_000));
    reader
}

/// Holds a card to it for three seconds and takes it away for one.
fn hold(reader: &mut Simulation, card: Card) -> Card {
    let id = reader.present(card);
    reader.run_until(reader.now + ms(3_000));
    let card = reader.take_away(id).unwrap();
    reader.run_until(reader.now + ms(1_000));
    card
}

#[test]
fn a_reader_that_is_plugged_in_works_within_a_tenth_of_a_second() {
    let mut reader = Simulation::new(Timing::real(), Line::sound());

    reader.run_until(ms(100));

    assert_eq!(reader.outputs.len(), 1);
    assert_eq!(reader.outputs[0].1, Output::Working { firmware: (1, 6) });
}

#[test]
fn cards_with_4_7_and_10_bytes_are_their_numbers() {
    let mut reader = reader();
    let long = [0x04, 1, 2, 3, 4, 5, 6, 7, 8, 9];

    hold(&mut reader, classic());
    hold(&mut reader, tag());
    hold(&mut reader, Card::Plain(long.to_vec()));

    assert_eq!(reader.credentials(), [uid(&[0x3A, 0x11, 0x22, 0x33]), uid(&TAG), uid(&long)]);
    assert!(reader.faults().is_empty());
}

/// The longest time to the report of `card`, that comes at any moment after one like it was taken away.
fn slowest(card: &Card) -> Duration {
    let mut slowest = Duration::ZERO;
    for gap in (0..2_400).step_by(11) {
        let mut reader = reader();
        let before = reader.present(card.clone());
        reader.run_until(reader.now + ms(400));
        reader.take_away(before);
        let gone = reader.now;
        reader.run_until(gone + ABSENCE + FORGOTTEN + ms(gap));
        let shown = reader.now;
        reader.present(card.clone());
        reader.run_until(shown + ms(1_000));
        let taps = reader.taps();
        assert_eq!(taps.len(), 2, "{gap} ms after it was forgotten");
        slowest = slowest.max(taps[1].0.saturating_sub(shown));
    }
    slowest
}

/// With the look during which a card goes it takes so much longer than its absence to forget it.
const FORGOTTEN: Duration = ms(320);

/// A person's time at the door. The chip's own times are in it, for a phone also 95 ms of its own; disk and network
/// come on top, about 20 ms.
#[test]
fn whenever_a_card_comes_it_is_reported_within_60_ms_a_sun_card_within_120_and_a_phone_within_200()
{
    let slowest = [tag(), sun_card(), phone()].map(|card| slowest(&card));

    assert!(slowest[0] <= ms(60), "{slowest:?}");
    assert!(slowest[1] <= ms(120), "{slowest:?}");
    assert!(slowest[2] <= ms(200), "{slowest:?}");
}

#[test]
fn another_card_need_not_wait_until_the_one_before_is_forgotten() {
    for gap in (150..900).step_by(7) {
        let mut reader = reader();
        let before = reader.present(classic());
        reader.run_until(reader.now + ms(400));
        reader.take_away(before);
        reader.run_until(reader.now + ms(gap));
        let shown = reader.now;
        reader.present(tag());
        reader.run_until(shown + ms(1_000));

        let taps = reader.taps();
        let took = taps[1].0.saturating_sub(shown);
        assert!(took <= ms(60), "{took:?} after {gap} ms");
    }
}

#[test]
fn a_card_that_comes_again_is_a_new_presentation() {
    let mut reader = reader();

    for _ in 0..3 {
        hold(&mut reader, tag());
    }

    assert_eq!(reader.credentials(), [uid(&TAG), uid(&TAG), uid(&TAG)]);
}

#[test]
fn a_trembling_hand_is_one_presentation() {
    let mut reader = reader();

    for _ in 0..10 {
        let id = reader.present(tag());
        reader.run_until(reader.now + ms(170));
        reader.take_away(id);
        reader.run_until(reader.now + ms(90));
    }

    assert_eq!(reader.credentials(), [uid(&TAG)]);
}

#[test]
fn what_a_tag_carries_is_read_and_is_no_credential() {
    let mut reader = reader();
    let code = format!("G1{}", "A".repeat(116));
    let mut message = vec![0xD1, 0x01, 121, b'T', 0x02, b'e', b'n'];
    message.extend_from_slice(code.as_bytes());

    for model in [Model::Ntag213, Model::Ntag215, Model::Ntag216] {
        hold(&mut reader, Card::Ntag(Ntag::new(model, TAG, &message)));
    }

    let carried = Output::Notice(Notice::Carries(Record::Text(code)));
    assert_eq!(reader.outputs.iter().filter(|(_, output)| *output == carried).count(), 3);
    assert_eq!(reader.credentials(), [uid(&TAG), uid(&TAG), uid(&TAG)]);
}

#[test]
fn a_card_with_sun_messages_makes_one_for_each_presentation() {
    let mut reader = reader();

    let card = hold(&mut reader, sun_card());
    let card = hold(&mut reader, card);

    let Card::Ntag424(card) = card else { panic!("another card") };
    assert_eq!(card.counter(), 43);
    let [Credential::Sun { picc_data: first, .. }, Credential::Sun { picc_data: second, .. }] =
        &reader.credentials()[..]
    else {
        panic!("{:?}", reader.credentials())
    };
    assert_ne!(first, second);
}

#[test]
fn the_message_carries_encrypted_file_data_where_the_card_has_them() {
    let mut reader = reader();
    let keys = SunKeys { meta: [0; 16], file: [0; 16] };
    let card = Ntag424::new(SUN_CARD, keys, "https://gym.example/t", 7).with_file([b'x'; 16]);

    hold(&mut reader, Card::Ntag424(card));

    let [Credential::Sun { enc: Some(enc), cmac, .. }] = &reader.credentials()[..] else {
        panic!("{:?}", reader.credentials())
    };
    // The known answer of NXP's AN12196 for this number, counter and file.
    assert_eq!(enc[..4], [0xCE, 0xE9, 0xA5, 0x3E]);
    assert_eq!(*cmac, [0xEC, 0xC1, 0xE7, 0xF6, 0xC6, 0xC7, 0x3B, 0xF6]);
}

#[test]
fn a_phone_signs_the_nonce_once_per_presentation() {
    use p256::ecdsa::signature::Verifier;
    let mut reader = reader();

    hold(&mut reader, phone());

    let [Credential::Hce { nonce, token, signature }] = &reader.credentials()[..] else {
        panic!("{:?}", reader.credentials())
    };
    assert_eq!(token[..], [&[1][..], &77_u64.to_be_bytes()].concat());
    let signed = [b"gymwire-hce-v1", &nonce[..], &SITE.to_be_bytes(), &token[1..]].concat();
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&member_phone().public_key()).unwrap();
    key.verify(&signed, &p256::ecdsa::Signature::from_slice(signature).unwrap()).unwrap();
}

#[test]
fn a_phone_is_nobody_without_our_application_or_a_nonce() {
    let mut reader = reader();

    let other = member_phone().that_is(Willingness::NotInstalled);
    hold(&mut reader, Card::Phone(other));
    reader.nonce_after = None;
    hold(&mut reader, phone());

    assert!(reader.credentials().is_empty());
    assert!(reader.outputs.iter().any(|(_, output)| *output == Output::Notice(Notice::Nobody)));
    assert!(reader.outputs.iter().any(|(_, output)| *output == Output::Notice(Notice::NoNonce)));
    assert!(reader.faults().is_empty());
}

#[test]
fn a_locked_phone_is_reported_once_it_is_unlocked() {
    let mut reader = reader();
    let locked = member_phone().that_is(Willingness::Locked);

    let id = reader.present(Card::Phone(locked));
    reader.run_until(ms(3_000));
    let before = reader.credentials().len();
    reader.take_away(id);
    reader.present(phone());
    reader.run_until(ms(3_500));

    assert_eq!((before, reader.credentials().len()), (0, 1));
}

#[test]
fn two_cards_at_once_are_two_presentations() {
    let mut reader = reader();

    let both = [reader.present(tag()), reader.present(sun_card())];
    reader.run_until(ms(4_000));
    let third = reader.take_away(both[0]).unwrap();
    reader.run_until(ms(5_000));
    reader.present(third);
    reader.run_until(ms(6_000));

    let kinds: Vec<_> = reader.credentials().iter().map(Credential::kind).collect();
    assert_eq!(kinds, ["nfc_uid", "sun", "nfc_uid"]);
}

#[test]
fn a_second_card_is_seen_while_the_first_lies_there() {
    let mut reader = reader();

    reader.present(tag());
    reader.run_until(ms(2_000));
    reader.present(classic());
    reader.run_until(ms(3_000));

    assert_eq!(reader.credentials(), [uid(&TAG), uid(&[0x3A, 0x11, 0x22, 0x33])]);
}

#[test]
fn a_phone_with_a_card_behind_it_and_each_is_reported_once() {
    let mut reader = reader();

    reader.present(phone());
    reader.present(tag());
    reader.run_until(ms(6_000));

    let mut kinds: Vec<_> = reader.credentials().iter().map(Credential::kind).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["hce", "nfc_uid"]);
}

#[test]
fn a_reader_left_alone_for_an_hour_says_nothing_and_still_works() {
    let mut reader = reader();

    reader.run_until(Duration::from_hours(1));
    hold(&mut reader, tag());

    assert_eq!(reader.credentials(), [uid(&TAG)]);
    assert!(reader.faults().is_empty());
}
