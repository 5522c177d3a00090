//! Commands to the chip, made by the crate `pn532` into memory instead of a port.

use pn532::requests::{BorrowedRequest, Command};
use pn532::{Interface, Pn532};
use std::convert::Infallible;
use std::task::Poll;

/// Wakes a sleeping chip: five rising edges, then 1.4 ms of bytes that mean nothing until its clock runs.
pub const WAKE_UP: [u8; 16] = [0x55, 0x55, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Makes the chip stop what it is doing.
pub const ABORT: [u8; 6] = [0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00];

/// Longest data of a command, so that it fits a normal frame.
const MAX_DATA: usize = 253;
const BUFFER: usize = MAX_DATA + 9;

/// Makes frames of commands.
#[derive(Debug)]
pub(super) struct Commands(Pn532<Memory, (), BUFFER>);

#[derive(Debug, Default)]
struct Memory(Vec<u8>);

impl Default for Commands {
    fn default() -> Self {
        Self(Pn532::new_async(Memory::default()))
    }
}

impl Commands {
    /// The frame of a command; `None` if the data do not fit.
    pub(super) fn frame(&mut self, command: Command, data: &[u8]) -> Option<Vec<u8>> {
        if data.len() > MAX_DATA {
            return None;
        }
        self.0.send(BorrowedRequest::new(command, data)).ok()?;
        Some(std::mem::take(&mut self.0.interface.0))
    }
}

/// The data of an answer to `command`; `None` if `body` is anything else.
pub(super) fn answer(command: Command, body: &[u8]) -> Option<&[u8]> {
    match body {
        [0xD5, code, data @ ..] if *code == command as u8 + 1 => Some(data),
        _ => None,
    }
}

/// The four bytes of an answer to `GetFirmwareVersion`: chip, version, revision and what it supports; `None` if the
/// body is anything else.
pub fn version(body: &[u8]) -> Option<&[u8; 4]> {
    answer(Command::GetFirmwareVersion, body)?.try_into().ok()
}

/// Whether an exchange with a card went well; bits 6 and 7 of the status say other things.
pub(super) fn went_well(status: u8) -> bool {
    matches!(status & 0x3F, 0)
}

/// Whether there is more of the answer to be fetched.
pub(super) fn has_more(status: u8) -> bool {
    status & 0x40 != 0
}

impl Interface for Memory {
    type Error = Infallible;

    fn write(&mut self, frame: &mut [u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(frame);
        Ok(())
    }

    fn wait_ready(&mut self) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    /// Never called: answers are read by the link.
    fn read(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
        buffer.fill(0);
        Ok(())
    }
}
