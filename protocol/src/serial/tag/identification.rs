//! The conversation that finds out whom a target stands for.
//!
//! Cards with a number of their own are asked for a SUN message first, phones for our application. A number counts
//! only when the card has said that it has nothing better: silence ends in [`Finding::Unreadable`], never in a weaker
//! credential.

use super::ndef::{self, Record};
use super::type4::{Type4Reader, Type4Step};
use super::{SunNames, Target, apdu};
use crate::credential::Credential;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Say this to the target and pass on its answer.
    Send(Vec<u8>),
    /// Wait for the nonce of the agent; it is asked for if it was not before.
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

/// What one conversation may know of those before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Habits {
    /// Names in the addresses of NTAG 424 DNA cards.
    pub sun: SunNames,
    /// Bytes of the SUN message that was read last: most cards of a gym have messages of one length.
    pub message_length: Option<usize>,
}

/// One conversation.
#[derive(Debug)]
pub struct Identification {
    target: Target,
    habits: Habits,
    /// What the phone is to sign, and for which branch, if it came before it was needed.
    nonce: Option<([u8; 16], u16)>,
    state: State,
}

#[derive(Debug)]
enum State {
    SelectPhone,
    Nonce,
    Challenge([u8; 16]),
    Message(Type4Reader),
}

impl Identification {
    /// Begins with a target that has just been selected.
    pub fn begin(target: Target, habits: Habits) -> (Self, Step) {
        let mut this = Self { target, habits, nonce: None, state: State::SelectPhone };
        let first = match this.target.speaks_apdus() {
            false => this.by_number(),
            true if this.target.is_random() => Step::Send(apdu::select_phone()),
            true => this.ask_message(),
        };
        (this, first)
    }

    /// Whether a nonce will be needed, as far as can be told: asked for now, it is at hand when the phone wants it.
    pub fn needs_nonce(&self) -> bool {
        self.target.speaks_apdus() && self.target.is_random()
    }

    /// What was learned from a card with a SUN message.
    pub fn habits(self) -> Habits {
        self.habits
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
                match self.nonce.take() {
                    Some((nonce, site_no)) => self.challenge(nonce, site_no),
                    None => Step::AskNonce,
                }
            }
            State::Challenge(nonce) if status == apdu::OK => signed(nonce, data),
            State::SelectPhone | State::Challenge(_) | State::Nonce => self.no_phone(),
            State::Message(reader) => match reader.hear(data, status) {
                Type4Step::Send(apdu) => Step::Send(apdu),
                Type4Step::Done(Some(message)) => self.message(&message),
                Type4Step::Done(None) => self.no_message(),
                Type4Step::Nonsense => unreadable(),
            },
        }
    }

    /// The agent has given a nonce; to be signed for the branch `site_no`. `None`: that comes later.
    pub fn nonce(&mut self, nonce: [u8; 16], site_no: u16) -> Option<Step> {
        if matches!(self.state, State::Nonce) {
            return Some(self.challenge(nonce, site_no));
        }
        self.nonce = Some((nonce, site_no));
        None
    }

    fn challenge(&mut self, nonce: [u8; 16], site_no: u16) -> Step {
        self.state = State::Challenge(nonce);
        Step::Send(apdu::challenge(&nonce, site_no))
    }

    fn ask_message(&mut self) -> Step {
        let (reader, first) = Type4Reader::begin(self.habits.message_length);
        self.state = State::Message(reader);
        Step::Send(first)
    }

    fn message(&mut self, message: &[u8]) -> Step {
        let sun = match ndef::first_record(message) {
            Some(Record::Uri(address)) => self.habits.sun.read(&address),
            _ => None,
        };
        match sun {
            Some(sun) => {
                self.habits.message_length = Some(message.len());
                Step::Done(Finding::Credential(sun))
            }
            None => self.no_message(),
        }
    }

    /// There is no SUN message. What has a number that changes was asked for our application before.
    fn no_message(&mut self) -> Step {
        if self.target.is_random() {
            return Step::Done(Finding::Nobody);
        }
        self.state = State::SelectPhone;
        Step::Send(apdu::select_phone())
    }

    /// Our application is not there, or does not know the challenge.
    fn no_phone(&mut self) -> Step {
        match self.state {
            State::SelectPhone if self.target.is_random() => self.ask_message(),
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
mod tests;
