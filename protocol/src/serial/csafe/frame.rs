//! Frames of CSAFE: `F1 contents checksum F2`, or with addresses `F0 destination source contents checksum F2`.
//!
//! Between the flags each of F0 … F3 is sent as F3 and 00 … 03, in the checksum too. A start flag always starts anew,
//! so whatever came before costs at most one frame.

use alloc::vec::Vec;

/// Starts a frame with addresses.
pub const EXTENDED_START: u8 = 0xF0;
/// Starts a frame.
pub const START: u8 = 0xF1;
/// Ends a frame.
pub const STOP: u8 = 0xF2;
/// Announces a byte that would look like one of these four.
pub const STUFF: u8 = 0xF3;

/// The master's address.
pub const HOST: u8 = 0x00;
/// A console's address unless it was given another.
pub const ANY_CONSOLE: u8 = 0xFD;

/// Longest frame without stuffing: 96 bytes of contents by the standard, 120 in some consoles; addresses, checksum.
pub const MAX_FRAME: usize = 120 + 3;

/// Who speaks to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Addresses {
    /// Who is meant.
    pub destination: u8,
    /// Who speaks.
    pub source: u8,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Only extended frames have them.
    pub addresses: Option<Addresses>,
    /// Everything between addresses and checksum.
    pub contents: Vec<u8>,
}

/// The bytes of a frame. The checksum covers the contents only.
pub fn encode(contents: &[u8], addresses: Option<Addresses>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(contents.len() + 8);
    bytes.push(if addresses.is_some() { EXTENDED_START } else { START });
    if let Some(Addresses { destination, source }) = addresses {
        stuff(&mut bytes, destination);
        stuff(&mut bytes, source);
    }
    for byte in contents {
        stuff(&mut bytes, *byte);
    }
    stuff(&mut bytes, checksum(contents));
    bytes.push(STOP);
    bytes
}

fn stuff(bytes: &mut Vec<u8>, byte: u8) {
    if (EXTENDED_START..=STUFF).contains(&byte) {
        bytes.extend([STUFF, byte & 3]);
    } else {
        bytes.push(byte);
    }
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// Finds frames in a stream of bytes, in whatever pieces it comes.
#[derive(Debug, Clone, Default)]
pub struct FrameReader {
    inside: Option<Inside>,
    damaged: u64,
}

/// A frame that has begun.
#[derive(Debug, Clone)]
struct Inside {
    is_extended: bool,
    /// The last byte was [`STUFF`].
    is_stuffed: bool,
    bytes: Vec<u8>,
}

impl FrameReader {
    /// Takes bytes and gives the frames that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Frame> {
        bytes.iter().filter_map(|byte| self.take(*byte)).collect()
    }

    /// Frames that began and could not be used: broken off, too long, stuffed or summed up wrongly.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Forgets a frame that has begun, since its end can never come.
    pub fn reset(&mut self) {
        self.inside = None;
    }

    fn take(&mut self, byte: u8) -> Option<Frame> {
        if matches!(byte, START | EXTENDED_START) {
            // Two start flags in a row are one frame's noise, not a frame.
            let is_cut = self.inside.as_ref().is_some_and(|inside| !inside.bytes.is_empty());
            self.damaged += u64::from(is_cut);
            let is_extended = byte == EXTENDED_START;
            self.inside = Some(Inside { is_extended, is_stuffed: false, bytes: Vec::new() });
            return None;
        }
        let inside = self.inside.as_mut()?;
        if byte == STOP {
            let frame = self.inside.take().and_then(Inside::finish);
            self.damaged += u64::from(frame.is_none());
            return frame;
        }
        if !inside.take(byte) {
            self.inside = None;
            self.damaged += 1;
        }
        None
    }
}

impl Inside {
    /// False if this can no longer become a frame.
    fn take(&mut self, byte: u8) -> bool {
        let byte = match (self.is_stuffed, byte) {
            (false, STUFF) => {
                self.is_stuffed = true;
                return true;
            }
            (true, 0..=3) => EXTENDED_START | byte,
            (true, _) => return false,
            (false, _) => byte,
        };
        self.is_stuffed = false;
        self.bytes.push(byte);
        self.bytes.len() <= MAX_FRAME
    }

    fn finish(self) -> Option<Frame> {
        let (sum, covered) = self.bytes.split_last()?;
        if self.is_stuffed {
            return None;
        }
        if !self.is_extended {
            return (checksum(covered) == *sum)
                .then(|| Frame { addresses: None, contents: covered.to_vec() });
        }
        let &[destination, source, ref contents @ ..] = covered else { return None };
        // Some consoles sum the addresses up too.
        let is_right = [contents, covered].into_iter().any(|bytes| checksum(bytes) == *sum);
        let addresses = Some(Addresses { destination, source });
        is_right.then(|| Frame { addresses, contents: contents.to_vec() })
    }
}
