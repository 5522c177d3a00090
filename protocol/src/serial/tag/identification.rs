//! The conversation that finds out whom a target stands for.
//!
//! Cards with a number of their own are asked for a SUN message first, phones for our application. A number counts
//! only when the card has said that it has nothing better: silence ends in [`Finding::Unreadable`], never in a weaker
//! credential.

use super::ndef::{self, Record};
use super::{SunNames, Target, apdu};
use crate::credential::Credential;

/// Longest message that is read from a card.
const MAX_MESSAGE: usize = 480;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Say this to the target and pass on its answer.
    Send(Vec<u8>),
    /// Get a nonce from the agent.
    AskNonce,
    /// It is over.
    Done(Finding),
}

/// Whom the target stands for.
#[derive(Debug, PartialEq, Eq)]
pub enum Finding {
    /// What is to be reported.
    Credential(Credential),
    /// A phone without our application, or anything else with a number that changes.
    Nobody,
    /// A phone that wants to be unlocked.
    Locked,
    /// It answered nonsense; it may do better next time.
    Unreadable,
}

/// One conversation.
#[derive(Debug)]
pub struct Identification {
    target: Target,
    names: SunNames,
    state: State,
}

#[derive(Debug)]
enum State {
    SelectPhone,
    Nonce,
    Challenge([u8; 16]),
    SelectNdef,
    SelectFile,
    Length,
    Message { length: usize, read: Vec<u8> },
}

impl Identification {
    /// Begins with a target that has just been selected.
    pub fn begin(target: Target, names: SunNames) -> (Self, Step) {
        let state = if target.is_random() { State::SelectPhone } else { State::SelectNdef };
        let this = Self { target, names, state };
        let first = match this.state {
            _ if !this.target.speaks_apdus() => this.by_number(),
            State::SelectPhone => Step::Send(apdu::select_phone()),
            _ => Step::Send(apdu::select_ndef()),
        };
        (this, first)
    }

    /// The target has answered.
    pub fn hear(&mut self, answer: &[u8]) -> Step {
        let Some((data, status)) = apdu::split(answer) else { return unreadable() };
        match &mut self.state {
            State::SelectPhone | State::Challenge(_) if status == apdu::LOCKED => {
                Step::Done(Finding::Locked)
            }
            State::SelectPhone if status == apdu::OK => {
                self.state = State::Nonce;
                Step::AskNonce
            }
            State::Challenge(nonce) if status == apdu::OK => signed(nonce, data),
            State::SelectNdef if status == apdu::OK => {
                self.send(State::SelectFile, apdu::select_ndef_file())
            }
            State::SelectFile if status == apdu::OK => {
                self.send(State::Length, apdu::read_binary(0, 2))
            }
            State::Length if status == apdu::OK => match *data {
                [high, low] => self.measured(u16::from_be_bytes([high, low]).into()),
                _ => unreadable(),
            },
            State::Message { length, read } if status == apdu::OK => {
                read.extend_from_slice(data);
                if data.is_empty() || read.len() > *length { unreadable() } else { self.read_on() }
            }
            State::SelectPhone | State::Challenge(_) | State::Nonce => self.no_phone(),
            _ => self.no_message(),
        }
    }

    /// The agent has given a nonce; to be signed for the branch `site_no`.
    pub fn nonce(&mut self, nonce: [u8; 16], site_no: u16) -> Step {
        match self.state {
            State::Nonce => self.send(State::Challenge(nonce), apdu::challenge(&nonce, site_no)),
            _ => unreadable(),
        }
    }

    fn measured(&mut self, length: usize) -> Step {
        if (1..=MAX_MESSAGE).contains(&length) {
            self.state = State::Message { length, read: Vec::new() };
            self.read_on()
        } else {
            self.no_message()
        }
    }

    fn read_on(&mut self) -> Step {
        let State::Message { length, read } = &self.state else { return unreadable() };
        let left = length - read.len();
        let offset = u16::try_from(2 + read.len());
        match (u8::try_from(left.min(apdu::MAX_READ)), offset) {
            (Ok(part @ 1..), Ok(offset)) => Step::Send(apdu::read_binary(offset, part)),
            _ => match ndef::first_record(read) {
                Some(Record::Uri(address)) => match self.names.read(&address) {
                    Some(sun) => Step::Done(Finding::Credential(sun)),
                    None => self.no_message(),
                },
                _ => self.no_message(),
            },
        }
    }

    /// There is no SUN message. What has a number that changes was asked for our application before.
    fn no_message(&mut self) -> Step {
        if self.target.is_random() {
            return Step::Done(Finding::Nobody);
        }
        self.send(State::SelectPhone, apdu::select_phone())
    }

    /// Our application is not there, or does not know the challenge.
    fn no_phone(&mut self) -> Step {
        match self.state {
            State::SelectPhone if self.target.is_random() => {
                self.send(State::SelectNdef, apdu::select_ndef())
            }
            _ => self.by_number(),
        }
    }

    fn by_number(&self) -> Step {
        let uid = &self.target.uid;
        Step::Done(match uid.len() {
            _ if self.target.is_random() => Finding::Nobody,
            4 | 7 | 10 => Finding::Credential(Credential::NfcUid { uid: uid.clone() }),
            _ => Finding::Unreadable,
        })
    }

    fn send(&mut self, state: State, apdu: Vec<u8>) -> Step {
        self.state = state;
        Step::Send(apdu)
    }
}

fn unreadable() -> Step {
    Step::Done(Finding::Unreadable)
}

fn signed(nonce: &[u8; 16], data: &[u8]) -> Step {
    let split = data.split_last_chunk::<{ apdu::SIGNATURE }>();
    Step::Done(match split {
        Some((token, signature)) if (1..=64).contains(&token.len()) => {
            Finding::Credential(Credential::Hce {
                nonce: nonce.to_vec(),
                token: token.to_vec(),
                signature: signature.to_vec(),
            })
        }
        _ => Finding::Unreadable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CARD: [u8; 7] = [4, 1, 2, 3, 4, 5, 6];
    const RANDOM: [u8; 4] = [8, 1, 2, 3];

    fn target(uid: &[u8], sak: u8) -> Target {
        Target { atqa: [0, 0x44], sak, uid: uid.to_vec() }
    }

    fn begin(uid: &[u8], sak: u8) -> (Identification, Step) {
        Identification::begin(target(uid, sak), SunNames::default())
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
        let address = format!(
            "gym.example/t?picc_data={0}&enc={0}{0}&cmac={1}",
            "AB".repeat(16),
            "CD".repeat(8)
        );
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
        assert_eq!(phone.nonce([7; 16], 3), Step::Send(apdu::challenge(&[7; 16], 3)));
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
                    Step::AskNonce => target.nonce([1; 16], 1),
                    Step::Send(_) => target.hear(&answer),
                };
                exchanges += 1;
            }
            prop_assert!(exchanges <= MAX_MESSAGE + 10);
        }
    }
}
