//! Reading the message of a card that speaks APDUs, in as few exchanges as can be: each takes 10 ms of a person's time at
//! the door, and a card with encrypted messages computes for each reading of its file.

use super::apdu;

/// Longest message that is read from a card.
const MAX_MESSAGE: usize = 480;
/// The length stands in front of the message.
const HEAD: usize = 2;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Type4Step {
    /// Say this to the card and pass on its answer.
    Send(Vec<u8>),
    /// This is the message; `None`: there is none, or it is too long.
    Done(Option<Vec<u8>>),
    /// The card contradicts itself.
    Nonsense,
}

/// Reads one card.
#[derive(Debug)]
pub(super) struct Type4Reader {
    /// So long was the message of the card before: cards of one gym are alike.
    expected: Option<usize>,
    state: State,
}

#[derive(Debug)]
enum State {
    Application,
    File,
    /// Length and message in one answer, if the message is as long as expected.
    Whole,
    Length,
    Message {
        length: usize,
        read: Vec<u8>,
    },
}

impl Type4Reader {
    /// The first thing to say to the card.
    pub(super) fn begin(expected: Option<usize>) -> (Self, Vec<u8>) {
        let expected = expected.filter(|length| HEAD + length <= apdu::MAX_READ);
        (Self { expected, state: State::Application }, apdu::select_ndef())
    }

    /// The card has answered.
    pub(super) fn hear(&mut self, data: &[u8], status: u16) -> Type4Step {
        if status != apdu::OK {
            return match self.state {
                // It has less than that to read, and says so.
                State::Whole => self.measure(),
                _ => Type4Step::Done(None),
            };
        }
        match &mut self.state {
            State::Application => self.send(State::File, apdu::select_ndef_file()),
            State::File => {
                match self.expected.and_then(|length| u8::try_from(HEAD + length).ok()) {
                    Some(length) => self.send(State::Whole, apdu::read_binary(0, length)),
                    None => self.measure(),
                }
            }
            State::Whole => match data.split_first_chunk() {
                Some((length, rest)) => {
                    let length = usize::from(u16::from_be_bytes(*length));
                    match rest.get(..length) {
                        Some(message) if length > 0 => Type4Step::Done(Some(message.to_vec())),
                        _ => self.measured(length),
                    }
                }
                None => Type4Step::Nonsense,
            },
            State::Length => match *data {
                [high, low] => self.measured(u16::from_be_bytes([high, low]).into()),
                _ => Type4Step::Nonsense,
            },
            State::Message { length, read } => {
                read.extend_from_slice(data);
                if data.is_empty() || read.len() > *length {
                    return Type4Step::Nonsense;
                }
                self.read_on()
            }
        }
    }

    fn measure(&mut self) -> Type4Step {
        self.send(State::Length, apdu::read_binary(0, 2))
    }

    fn measured(&mut self, length: usize) -> Type4Step {
        if !(1..=MAX_MESSAGE).contains(&length) {
            return Type4Step::Done(None);
        }
        self.state = State::Message { length, read: Vec::new() };
        self.read_on()
    }

    fn read_on(&mut self) -> Type4Step {
        let State::Message { length, read } = &mut self.state else { return Type4Step::Nonsense };
        let part = u8::try_from((*length - read.len()).min(apdu::MAX_READ));
        match (part, u16::try_from(HEAD + read.len())) {
            (Ok(part @ 1..), Ok(offset)) => Type4Step::Send(apdu::read_binary(offset, part)),
            _ => Type4Step::Done(Some(std::mem::take(read))),
        }
    }

    fn send(&mut self, state: State, apdu: Vec<u8>) -> Type4Step {
        self.state = state;
        Type4Step::Send(apdu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a card with a file of 256 bytes, and in how many exchanges.
    fn read(expected: Option<usize>, message: &[u8], file: usize) -> (Option<Vec<u8>>, usize) {
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        let mut memory = [&length[..], message].concat();
        memory.resize(file, 0);
        let (mut reader, _) = Type4Reader::begin(expected);
        let mut step = reader.hear(&[], apdu::OK);
        let mut exchanges = 1;
        loop {
            step = match step {
                Type4Step::Done(message) => return (message, exchanges),
                Type4Step::Nonsense => panic!("nonsense"),
                Type4Step::Send(command) => match command[..] {
                    [0x00, 0xB0, high, low, length] => {
                        let offset = usize::from(u16::from_be_bytes([high, low]));
                        match memory.get(offset..offset + usize::from(length)) {
                            Some(part) => reader.hear(part, apdu::OK),
                            None => reader.hear(&[], 0x6B00),
                        }
                    }
                    _ => reader.hear(&[], apdu::OK),
                },
            };
            exchanges += 1;
        }
    }

    #[test]
    fn a_message_as_long_as_expected_or_shorter_is_read_at_once() {
        let message = [7; 85];

        assert_eq!(read(None, &message, 256), (Some(message.to_vec()), 4));
        assert_eq!(read(Some(85), &message, 256), (Some(message.to_vec()), 3));
        assert_eq!(read(Some(130), &message, 256), (Some(message.to_vec()), 3));
    }

    #[test]
    fn a_message_that_is_longer_than_expected_is_read_anew_and_whole() {
        let message = [7; 120];

        assert_eq!(read(Some(85), &message, 256), (Some(message.to_vec()), 4));
        assert_eq!(read(Some(300), &message, 256), (Some(message.to_vec()), 4));
    }

    #[test]
    fn a_card_with_a_smaller_file_is_read_all_the_same() {
        assert_eq!(read(Some(130), &[7; 40], 48), (Some(vec![7; 40]), 5));
        assert_eq!(read(Some(85), &[], 256), (None, 3));
    }
}
