//! Frames of the PN532: found in any stream, whatever is in front of them, and checked.

/// Longest body: identifier, command and 263 bytes, in an extended frame.
pub const MAX_BODY: usize = 265;

const START: [u8; 2] = [0x00, 0xFF];

/// What goes over the line between host and chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The other side has understood; from the host also: stop what you are doing.
    Ack,
    /// Say that again.
    Nack,
    /// The chip does not understand the command.
    SyntaxError,
    /// Identifier (`D4` to the chip, `D5` from it), command code, data.
    Body(Vec<u8>),
}

impl Frame {
    /// As it goes over the line.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ack => vec![0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00],
            Self::Nack => vec![0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00],
            Self::SyntaxError => encode_body(&[0x7F]),
            Self::Body(body) => encode_body(body),
        }
    }
}

/// A body of at most [`MAX_BODY`] bytes, longer ones are cut; above 255 bytes the frame is extended.
fn encode_body(body: &[u8]) -> Vec<u8> {
    let body = &body[..body.len().min(MAX_BODY)];
    let mut frame = vec![0x00, 0x00, 0xFF];
    if let Ok(length) = u8::try_from(body.len()) {
        frame.extend([length, length.wrapping_neg()]);
    } else {
        let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
        let [high, low] = length.to_be_bytes();
        frame.extend([0xFF, 0xFF, high, low, high.wrapping_add(low).wrapping_neg()]);
    }
    frame.extend_from_slice(body);
    frame.extend([sum(body).wrapping_neg(), 0x00]);
    frame
}

/// Finds frames in a stream.
#[derive(Debug, Clone, Default)]
pub struct Framer {
    /// From a possible start of a frame on; never longer than the longest frame.
    buffer: Vec<u8>,
}

enum Parsed {
    /// A frame, and how many bytes it takes.
    Frame(Frame, usize),
    /// It goes on.
    Incomplete,
    /// This start was none.
    Bad,
}

impl Framer {
    /// Takes the next byte; `Some` when it completes a frame.
    pub fn push(&mut self, byte: u8) -> Option<Frame> {
        self.buffer.push(byte);
        loop {
            let Some(start) = self.buffer.windows(2).position(|pair| pair == START) else {
                let keep = usize::from(self.buffer.last() == Some(&START[0]));
                self.buffer.drain(..self.buffer.len() - keep);
                return None;
            };
            self.buffer.drain(..start);
            match parse(&self.buffer[START.len()..]) {
                Parsed::Frame(frame, length) => {
                    self.buffer.drain(..START.len() + length);
                    return Some(frame);
                }
                Parsed::Incomplete => return None,
                // A lost byte puts the next frame inside this one: look on right behind the start.
                Parsed::Bad => drop(self.buffer.drain(..1)),
            }
        }
    }

    /// Forgets what has been begun.
    pub fn clear(&mut self) {
        self.buffer.clear();
    }
}

/// Reads what follows the start code.
fn parse(bytes: &[u8]) -> Parsed {
    match *bytes {
        [0x00, 0xFF, ..] => Parsed::Frame(Frame::Ack, 2),
        [0xFF, 0x00, ..] => Parsed::Frame(Frame::Nack, 2),
        [0xFF, 0xFF, high, low, check, ref rest @ ..] => {
            let length = usize::from(u16::from_be_bytes([high, low]));
            if sum(&[high, low, check]) != 0 || !(256..=MAX_BODY).contains(&length) {
                return Parsed::Bad;
            }
            body(rest, length, 5)
        }
        [0xFF, 0xFF, ..] => Parsed::Incomplete,
        [length, check, ref rest @ ..] => {
            if length.wrapping_add(check) != 0 || length == 0 {
                return Parsed::Bad;
            }
            body(rest, length.into(), 2)
        }
        _ => Parsed::Incomplete,
    }
}

/// A body must be followed by a zero, which is left to the search for the next frame. The checksum alone would not do:
/// a zero that is lost does not change it, and the zero behind takes its place.
fn body(bytes: &[u8], length: usize, header: usize) -> Parsed {
    let Some((checked, after)) = bytes.split_at_checked(length + 1) else {
        return Parsed::Incomplete;
    };
    match after.first() {
        _ if sum(checked) != 0 => return Parsed::Bad,
        None => return Parsed::Incomplete,
        Some(0) => {}
        Some(_) => return Parsed::Bad,
    }
    let frame = match &checked[..length] {
        [0x7F] => Frame::SyntaxError,
        body => Frame::Body(body.to_vec()),
    };
    Parsed::Frame(frame, header + length + 1)
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}
