//! Reads a write-ahead log of `SQLite` without `SQLite`: which pages its committed frames hold.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const MAGIC: u32 = 0x377f_0682;

/// Where the newest committed content of each page is in the log. Stops at the first frame that is not whole.
pub fn newest_pages(log: &File, page_bytes: u64) -> HashMap<u64, u64> {
    let mut committed = HashMap::new();
    let Some(mut reading) = Reading::start(log, page_bytes) else { return committed };
    let mut pending = Vec::new();
    let mut offset = HEADER as u64;
    while let Some((page, is_commit)) = reading.frame(log, offset) {
        pending.push((page, offset + FRAME_HEADER as u64));
        if is_commit {
            committed.extend(pending.drain(..));
        }
        offset += FRAME_HEADER as u64 + page_bytes;
    }
    committed
}

struct Reading {
    is_big_endian: bool,
    salts: [u8; 8],
    sums: (u32, u32),
    frame: Vec<u8>,
}

impl Reading {
    fn start(log: &File, page_bytes: u64) -> Option<Self> {
        let mut header = [0; HEADER];
        log.read_exact_at(&mut header, 0).ok()?;
        let magic = word(&header, 0);
        if magic & !1 != MAGIC || u64::from(word(&header, 8)) != page_bytes {
            return None;
        }
        let mut reading = Self {
            is_big_endian: magic & 1 == 1,
            salts: header[16..24].try_into().ok()?,
            sums: (0, 0),
            frame: vec![0; FRAME_HEADER + usize::try_from(page_bytes).ok()?],
        };
        reading.add(&header[..24]);
        (reading.sums == (word(&header, 24), word(&header, 28))).then_some(reading)
    }

    /// The page of a frame, and whether a transaction ends with it.
    fn frame(&mut self, log: &File, offset: u64) -> Option<(u64, bool)> {
        let mut frame = std::mem::take(&mut self.frame);
        log.read_exact_at(&mut frame, offset).ok()?;
        self.add(&frame[..8]);
        self.add(&frame[FRAME_HEADER..]);
        let is_whole =
            frame[8..16] == self.salts && self.sums == (word(&frame, 16), word(&frame, 20));
        let (page, size) = (word(&frame, 0), word(&frame, 4));
        self.frame = frame;
        (is_whole && page > 0).then_some((u64::from(page), size > 0))
    }

    /// The running checksum over pairs of words.
    fn add(&mut self, bytes: &[u8]) {
        let (mut one, mut two) = self.sums;
        for pair in bytes.chunks_exact(8) {
            let read = |bytes: &[u8]| {
                let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
                if self.is_big_endian {
                    u32::from_be_bytes(bytes)
                } else {
                    u32::from_le_bytes(bytes)
                }
            };
            one = one.wrapping_add(read(&pair[..4])).wrapping_add(two);
            two = two.wrapping_add(read(&pair[4..])).wrapping_add(one);
        }
        self.sums = (one, two);
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
