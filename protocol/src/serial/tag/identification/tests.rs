//! Whom a target stands for, answer by answer.

use super::*;
use proptest::prelude::*;

const CARD: [u8; 7] = [4, 1, 2, 3, 4, 5, 6];
const RANDOM: [u8; 4] = [8, 1, 2, 3];

fn target(uid: &[u8], sak: u8) -> Target {
    Target { atqa: [0, 0x44], sak, uid: uid.to_vec() }
}

fn begin(uid: &[u8], sak: u8) -> (Identification, Step) {
    Identification::begin(target(uid, sak), Habits::default())
}

fn uid(uid: &[u8]) -> Step {
    Step::Done(Finding::Credential(Credential::NfcUid { uid: uid.to_vec() }))
}

#[test]
fn a_plain_card_is_its_number_of_4_7_or_10_bytes() {
    for length in [4, 7, 10] {
        let number = vec![0x21; length];
        assert_eq!(begin(&number, 0x08).1, uid(&number));
    }
    assert_eq!(begin(&[0x21; 5], 0x08).1, unreadable());
}

#[test]
fn a_random_number_is_nobody() {
    assert_eq!(begin(&RANDOM, 0x00).1, Step::Done(Finding::Nobody));
}

#[test]
fn a_sun_message_is_read_in_pieces() {
    let address =
        format!("gym.example/t?picc_data={0}&enc={0}{0}&cmac={1}", "AB".repeat(16), "CD".repeat(8));
    let mut message = vec![0xD1, 0x01, u8::try_from(address.len() + 1).unwrap(), b'U', 0x04];
    message.extend_from_slice(address.as_bytes());
    let ok = |data: &[u8]| [data, &[0x90, 0x00]].concat();
    let (mut card, first) = begin(&CARD, 0x20);

    assert_eq!(first, Step::Send(apdu::select_ndef()));
    assert_eq!(card.hear(&ok(&[])), Step::Send(apdu::select_ndef_file()));
    assert_eq!(card.hear(&ok(&[])), Step::Send(apdu::read_binary(0, 2)));
    let length = u8::try_from(message.len()).unwrap();
    assert_eq!(card.hear(&ok(&[0, length])), Step::Send(apdu::read_binary(2, length)));
    let next = card.hear(&ok(&message[..40]));
    assert_eq!(next, Step::Send(apdu::read_binary(42, length - 40)));
    let Step::Done(Finding::Credential(Credential::Sun { picc_data, enc, cmac })) =
        card.hear(&ok(&message[40..]))
    else {
        panic!("no message")
    };
    assert_eq!((picc_data, enc, cmac), ([0xAB; 16], Some(vec![0xAB; 32]), [0xCD; 8]));
    assert_eq!(card.habits().message_length, Some(message.len()));
}

#[test]
fn a_card_that_has_nothing_better_is_its_number() {
    let (mut card, _) = begin(&CARD, 0x20);

    assert_eq!(card.hear(&[0x6A, 0x82]), Step::Send(apdu::select_phone()));
    assert_eq!(card.hear(&[0x6A, 0x82]), uid(&CARD));
}

#[test]
fn a_phone_signs_the_nonce_of_the_agent() {
    let (mut phone, first) = begin(&RANDOM, 0x20);

    assert_eq!(first, Step::Send(apdu::select_phone()));
    assert_eq!(phone.hear(&[1, 0, 0x90, 0x00]), Step::AskNonce);
    assert_eq!(phone.nonce([7; 16], 3), Some(Step::Send(apdu::challenge(&[7; 16], 3))));
    let answer = [&[1; 9][..], &[2; 64], &[0x90, 0x00]].concat();
    assert_eq!(
        phone.hear(&answer),
        Step::Done(Finding::Credential(Credential::Hce {
            nonce: vec![7; 16],
            token: vec![1; 9],
            signature: vec![2; 64],
        }))
    );
}

#[test]
fn a_nonce_that_is_at_hand_when_the_phone_is_selected_costs_no_time() {
    let (mut phone, _) = begin(&RANDOM, 0x20);
    let (card, _) = begin(&CARD, 0x20);

    assert!(phone.needs_nonce() && !card.needs_nonce());
    assert_eq!(phone.nonce([7; 16], 3), None);
    assert_eq!(phone.hear(&[1, 0, 0x90, 0x00]), Step::Send(apdu::challenge(&[7; 16], 3)));
}

#[test]
fn a_locked_phone_and_one_without_our_application_are_nobody() {
    let (mut locked, _) = begin(&RANDOM, 0x20);
    let (mut other, _) = begin(&RANDOM, 0x20);

    assert_eq!(locked.hear(&[0x69, 0x85]), Step::Done(Finding::Locked));
    assert_eq!(other.hear(&[0x6A, 0x82]), Step::Send(apdu::select_ndef()));
    assert_eq!(other.hear(&[0x6A, 0x82]), Step::Done(Finding::Nobody));
}

proptest! {
    #[test]
    fn no_answers_panic_or_go_on_for_ever(
        answers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..600),
        ok in any::<bool>(),
        random in any::<bool>(),
    ) {
        let number: &[u8] = if random { &RANDOM } else { &CARD };
        let (mut target, mut step) = begin(number, 0x20);
        let mut exchanges = 0;
        for mut answer in answers {
            if ok {
                answer.extend_from_slice(&[0x90, 0x00]);
            }
            step = match step {
                Step::Done(_) => break,
                Step::AskNonce => target.nonce([1; 16], 1).unwrap(),
                Step::Send(_) => target.hear(&answer),
            };
            exchanges += 1;
        }
        prop_assert!(exchanges <= 500);
    }
}
