//! NDEF: the record that a tag begins with, and where its message lies in the memory of an NTAG 21x.

use std::ops::Range;

/// The first record of a message, as far as we know its kind.
#[derive(Clone, PartialEq, Eq)]
pub enum Record {
    /// An address.
    Uri(String),
    /// Text, without its language.
    Text(String),
    /// Anything else.
    Other,
}

/// Only kind and length: what members carry on their tags does not belong in a log.
impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uri(uri) => write!(f, "Uri({} characters)", uri.len()),
            Self::Text(text) => write!(f, "Text({} characters)", text.len()),
            Self::Other => f.write_str("Other"),
        }
    }
}

/// The first record of `message`; `None` if that is no NDEF.
pub fn first_record(message: &[u8]) -> Option<Record> {
    const SHORT: u8 = 0x10;
    const HAS_ID: u8 = 0x08;
    let (&[flags, type_length], rest) = message.split_first_chunk()?;
    let (length, rest) = if flags & SHORT != 0 {
        let (&length, rest) = rest.split_first()?;
        (usize::from(length), rest)
    } else {
        let (&length, rest) = rest.split_first_chunk()?;
        (usize::try_from(u32::from_be_bytes(length)).ok()?, rest)
    };
    let (id_length, rest) = match flags & HAS_ID {
        0 => (0, rest),
        _ => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
    };
    let (kind, rest) = rest.split_at_checked(type_length.into())?;
    let (_id, rest) = rest.split_at_checked(id_length)?;
    let payload = rest.get(..length)?;
    match (flags & 0x07, kind) {
        (1, b"U") => uri(payload).map(Record::Uri),
        (1, b"T") => text(payload).map(Record::Text),
        _ => Some(Record::Other),
    }
}

fn uri(payload: &[u8]) -> Option<String> {
    const PREFIXES: [&str; 7] =
        ["", "http://www.", "https://www.", "http://", "https://", "tel:", "mailto:"];
    let (&prefix, rest) = payload.split_first()?;
    let prefix = PREFIXES.get(usize::from(prefix))?;
    Some(format!("{prefix}{}", std::str::from_utf8(rest).ok()?))
}

fn text(payload: &[u8]) -> Option<String> {
    let (&status, rest) = payload.split_first()?;
    let text = rest.get(usize::from(status & 0x3F)..)?;
    // UTF-16 is allowed and never used.
    if status & 0x80 != 0 { None } else { String::from_utf8(text.to_vec()).ok() }
}

/// Where the message lies in the data pages of an NTAG 21x, of which `memory` is the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// There; it may reach beyond what was read.
    At(Range<usize>),
    /// More must be read to say.
    Unknown,
    /// There is none.
    Nowhere,
}

/// Walks the blocks (type, length, value) of `memory` up to the message.
pub fn place(memory: &[u8]) -> Place {
    let mut at = 0;
    while let Some(&kind) = memory.get(at) {
        match kind {
            0x00 => at += 1,
            0xFE => return Place::Nowhere,
            _ => {
                let Some((start, length)) = block(memory, at + 1) else { return Place::Unknown };
                if kind == 0x03 {
                    return Place::At(start..start + length);
                }
                at = start + length;
            }
        }
    }
    Place::Unknown
}

/// Start and length of a value whose length stands at `at`.
fn block(memory: &[u8], at: usize) -> Option<(usize, usize)> {
    match *memory.get(at)? {
        0xFF => {
            let length = [*memory.get(at + 1)?, *memory.get(at + 2)?];
            Some((at + 3, u16::from_be_bytes(length).into()))
        }
        length => Some((at + 1, length.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_and_texts_are_read() {
        let uri = b"\xD1\x01\x0CU\x04example.org".as_slice();
        let text = b"\xD1\x01\x08T\x02enG1abc".as_slice();

        assert_eq!(first_record(uri), Some(Record::Uri("https://example.org".into())));
        assert_eq!(first_record(text), Some(Record::Text("G1abc".into())));
    }

    #[test]
    fn long_records_and_ids_are_read() {
        let long = b"\xC9\x01\0\0\0\x03\x02Uid\x03ab".as_slice();

        assert_eq!(first_record(long), Some(Record::Uri("http://ab".into())));
    }

    #[test]
    fn what_is_cut_off_is_no_record() {
        assert_eq!(first_record(b"\xD1\x01\x0CU\x04example.or"), None);
        assert_eq!(first_record(b""), None);
    }

    #[test]
    fn the_message_is_found_behind_other_blocks() {
        let memory = [0x01, 0x03, 0xA0, 0x0C, 0x34, 0x00, 0x03, 0x05, 0xD1];

        assert_eq!(place(&memory), Place::At(8..13));
        assert_eq!(place(&memory[..7]), Place::Unknown);
        assert_eq!(place(&[0x00, 0xFE]), Place::Nowhere);
        assert_eq!(place(&[0x03, 0xFF, 0x01, 0x10]), Place::At(4..4 + 0x110));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = first_record(&bytes);
            let _ = place(&bytes);
        }
    }
}
