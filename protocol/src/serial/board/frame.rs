//! COBS frames with a checksum, and their reader for a stream in any chunks.

use super::{BOARD_VERSION, FirmwareMessage};
use alloc::vec::Vec;

/// A frame is at most this long, as it is on the line, without its delimiter.
pub const MAX_FRAME_BYTES: usize = 512;

/// Why bytes between two delimiters are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`MAX_FRAME_BYTES`].
    #[error("the frame is longer than {MAX_FRAME_BYTES} bytes")]
    TooLong,
    /// Not COBS, or shorter than version and checksum.
    #[error("the frame is malformed")]
    Malformed,
    /// The checksum does not match.
    #[error("the checksum of the frame does not match")]
    Checksum,
    /// A version this build does not read.
    #[error("version {0} of frames is not supported")]
    Version(u8),
    /// Not a message.
    #[error("the frame holds no message")]
    Message,
}

/// A message as it is sent, delimiter at the end.
pub fn encode(message: &FirmwareMessage) -> Result<Vec<u8>, FrameError> {
    let mut plain = postcard::to_extend(message, alloc::vec![BOARD_VERSION])
        .map_err(|_| FrameError::Message)?;
    plain.extend_from_slice(&crc32fast::hash(&plain).to_le_bytes());
    let mut frame = cobs::encode_vec(&plain);
    if frame.len() > MAX_FRAME_BYTES {
        return Err(FrameError::TooLong);
    }
    frame.push(0);
    Ok(frame)
}

/// The message of a frame, without its delimiter.
pub fn decode(frame: &[u8]) -> Result<FirmwareMessage, FrameError> {
    if frame.len() > MAX_FRAME_BYTES {
        return Err(FrameError::TooLong);
    }
    if frame.contains(&0) {
        return Err(FrameError::Malformed);
    }
    let plain = cobs::decode_vec(frame).map_err(|_| FrameError::Malformed)?;
    let (covered, checksum) = plain.split_last_chunk::<4>().ok_or(FrameError::Malformed)?;
    if crc32fast::hash(covered) != u32::from_le_bytes(*checksum) {
        return Err(FrameError::Checksum);
    }
    match covered.split_first() {
        None => Err(FrameError::Malformed),
        Some((&BOARD_VERSION, message)) => match postcard::take_from_bytes(message) {
            Ok((message, [])) => Ok(message),
            _ => Err(FrameError::Message),
        },
        Some((&version, _)) => Err(FrameError::Version(version)),
    }
}

/// Cuts a stream into frames. What is too long is thrown away up to the next delimiter.
#[derive(Debug, Default)]
pub struct FrameReader {
    partial: Vec<u8>,
    is_overlong: bool,
    bad_frames: u64,
}

impl FrameReader {
    /// A reader at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes in and gives the good messages that are complete with them.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<FirmwareMessage> {
        let mut messages = Vec::new();
        for &byte in bytes {
            if byte != 0 {
                self.collect(byte);
            } else if let Some(message) = self.end_frame() {
                messages.push(message);
            }
        }
        messages
    }

    /// How many frames were no message since the beginning.
    pub fn bad_frames(&self) -> u64 {
        self.bad_frames
    }

    fn collect(&mut self, byte: u8) {
        if self.partial.len() < MAX_FRAME_BYTES {
            self.partial.push(byte);
        } else {
            self.is_overlong = true;
        }
    }

    fn end_frame(&mut self) -> Option<FirmwareMessage> {
        let frame = core::mem::take(&mut self.partial);
        let is_overlong = core::mem::take(&mut self.is_overlong);
        if frame.is_empty() {
            return None;
        }
        let message = if is_overlong { None } else { decode(&frame).ok() };
        self.bad_frames += u64::from(message.is_none());
        message
    }
}
