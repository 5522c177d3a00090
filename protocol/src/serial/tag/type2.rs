//! Reading the message of an NTAG 21x, four pages at a time.

use super::ndef::{self, Place, Record};

/// Longest message that is read; a longer one takes too long to hold a card still.
const MAX_MESSAGE: usize = 256;
/// Page of the capability container; the data begin with the next.
const CONTAINER: u8 = 3;
const PAGE: usize = 4;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Type2Step {
    /// Say this to the card and pass on its answer.
    Send(Vec<u8>),
    /// This is what it carries; `None` if there is no message or it is too long.
    Done(Option<Record>),
}

/// Reads one card.
#[derive(Debug, Default)]
pub struct Type2Reader {
    /// Data pages as far as they are read.
    memory: Vec<u8>,
    /// Bytes of data that the card has.
    size: Option<usize>,
}

impl Type2Reader {
    /// The first thing to say to the card.
    pub fn begin() -> (Self, Type2Step) {
        (Self::default(), read(CONTAINER))
    }

    /// The card has answered with 16 bytes.
    pub fn hear(&mut self, answer: &[u8]) -> Type2Step {
        let Ok(pages) = <[u8; 16]>::try_from(answer) else { return Type2Step::Done(None) };
        if self.size.is_some() {
            self.memory.extend_from_slice(&pages);
        } else {
            let [0xE1, _, size, _, data @ ..] = pages else { return Type2Step::Done(None) };
            self.size = Some(usize::from(size) * 8);
            self.memory.extend_from_slice(&data);
        }
        self.next()
    }

    fn next(&self) -> Type2Step {
        let end = match ndef::place(&self.memory) {
            Place::Nowhere => return Type2Step::Done(None),
            Place::Unknown => self.memory.len() + 1,
            Place::At(place) if place.len() > MAX_MESSAGE => return Type2Step::Done(None),
            Place::At(place) => match self.memory.get(place.clone()) {
                Some(message) => return Type2Step::Done(ndef::first_record(message)),
                None => place.end,
            },
        };
        let limit = self.size.unwrap_or_default().min(MAX_MESSAGE + 64);
        let page = usize::from(CONTAINER) + 1 + self.memory.len() / PAGE;
        match u8::try_from(page) {
            Ok(page) if end <= limit && self.memory.len() < limit => read(page),
            _ => Type2Step::Done(None),
        }
    }
}

fn read(page: u8) -> Type2Step {
    Type2Step::Send(vec![0x30, page])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A card of 144 bytes that begins with `data`; reads behind its end wrap as on the real one.
    fn carried(data: &[u8]) -> Option<Record> {
        let mut pages = vec![0xE1, 0x10, 0x12, 0x00];
        pages.extend_from_slice(data);
        pages.resize(256 * PAGE, 0);
        let (mut reader, mut step) = Type2Reader::begin();
        loop {
            match step {
                Type2Step::Done(record) => return record,
                Type2Step::Send(command) => {
                    let at = usize::from(command[1] - CONTAINER) * PAGE;
                    step = reader.hear(&pages[at..at + 16]);
                }
            }
        }
    }

    #[test]
    fn a_message_over_many_pages_is_read_whole() {
        let address = "x".repeat(100);
        let mut data = vec![0x03, 105, 0xD1, 0x01, 101, b'U', 0x04];
        data.extend_from_slice(address.as_bytes());
        data.push(0xFE);

        assert_eq!(carried(&data), Some(Record::Uri(format!("https://{address}"))));
    }

    #[test]
    fn a_card_without_a_message_carries_nothing() {
        assert_eq!(carried(&[0x03, 0x00, 0xFE]), None);
        assert_eq!(carried(&[0xFE]), None);
        assert_eq!(carried(&[]), None);
    }

    #[test]
    fn a_message_longer_than_the_card_is_not_chased() {
        assert_eq!(carried(&[0x03, 0xFF, 0x01, 0x00]), None);
        assert_eq!(carried(&[0x03, 0xFE]), None);
    }

    proptest! {
        #[test]
        fn no_card_keeps_the_reader_for_ever(answers in prop::collection::vec(any::<[u8; 16]>(), 64)) {
            let (mut reader, mut step) = Type2Reader::begin();
            let mut exchanges = 0;
            for answer in answers {
                if step != read(CONTAINER) && matches!(step, Type2Step::Done(_)) {
                    break;
                }
                exchanges += 1;
                step = reader.hear(&answer);
            }
            prop_assert!(exchanges <= 24);
        }
    }
}
