//! Finds entries in a file that `SQLite` can no longer read, page by page, with its write-ahead log.
//!
//! An entry lies in a leaf page and maybe a chain of overflow pages; its checksum tells it from anything else.
//! See "Database File Format" of the `SQLite` documentation.

use super::classes::Class;
use super::connection::{PAGE, PAGE_BYTES};
use super::disk::beside;
use super::entry::{ENTRY_COLUMNS, Entry};
use super::wal;
use protocol::sync::entry::MAX_ENTRY_BYTES;
use protocol::time::Stamp;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const LEAF: u8 = 0x0d;
/// Longer than any row of ours.
const MAX_ROW: usize = MAX_ENTRY_BYTES + 64 * 1024;

/// A database file and the pages of its log that are newer.
pub struct Image {
    file: File,
    pages: u64,
    log: Option<(File, HashMap<u64, u64>)>,
}

/// Where an entry was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Its key.
    pub pos: u64,
    /// How many keys it stands for.
    pub span: u64,
    page: u64,
    cell: usize,
}

impl Image {
    /// Opens a file; its log is optional.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut pages = file.metadata()?.len().div_ceil(PAGE_BYTES);
        let log = File::open(beside(path, "-wal")).ok().map(|log| {
            let frames = wal::newest_pages(&log, PAGE_BYTES);
            pages = frames.keys().copied().fold(pages, u64::max);
            (log, frames)
        });
        Ok(Self { file, pages, log })
    }

    /// Every whole entry, in order of keys. Of two that overlap the one that stands for more is taken: it was
    /// written last.
    pub fn find(&self) -> Vec<Found> {
        let mut found = Vec::new();
        for page in 1..=self.pages {
            let Some(bytes) = self.page(page) else { continue };
            for cell in cells(&bytes, page) {
                if let Some(entry) = self.entry(&bytes, cell) {
                    found.push(Found { pos: entry.pos, span: entry.span, page, cell });
                }
            }
        }
        found.sort_unstable_by(|one, other| {
            one.pos.cmp(&other.pos).then(other.span.cmp(&one.span)).then(one.page.cmp(&other.page))
        });
        let mut end = 0;
        found.retain(|entry| {
            let is_new = entry.pos >= end;
            end = end.max(entry.pos + entry.span);
            is_new
        });
        found
    }

    /// Reads an entry that was found.
    pub fn read(&self, found: &Found) -> Option<Entry> {
        self.entry(&self.page(found.page)?, found.cell)
    }

    fn page(&self, number: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; PAGE];
        let in_log = self.log.as_ref().and_then(|(log, frames)| Some((log, *frames.get(&number)?)));
        match in_log {
            Some((log, offset)) => log.read_exact_at(&mut bytes, offset).ok()?,
            None => self.file.read_exact_at(&mut bytes, (number - 1) * PAGE_BYTES).ok()?,
        }
        Some(bytes)
    }

    fn entry(&self, page: &[u8], cell: usize) -> Option<Entry> {
        let mut rest = page.get(cell..)?;
        let length =
            usize::try_from(varint(&mut rest)?).ok().filter(|&length| length <= MAX_ROW)?;
        let pos = varint(&mut rest)?;
        let row = self.row(rest, length)?;
        decode(pos, &row)
    }

    /// A row's bytes: those in the cell, then those in overflow pages.
    fn row(&self, cell: &[u8], length: usize) -> Option<Vec<u8>> {
        let local = local_length(length);
        let mut row = cell.get(..local)?.to_vec();
        let mut next = if local < length { number_at(cell, local)? } else { 0 };
        while row.len() < length {
            let page = self.page(u64::from(next)).filter(|_| next != 0)?;
            let rest = (length - row.len()).min(PAGE - 4);
            row.extend_from_slice(&page[4..4 + rest]);
            next = number_at(&page, 0)?;
        }
        Some(row)
    }
}

/// How much of a row lies in its cell.
fn local_length(length: usize) -> usize {
    const LARGEST: usize = PAGE - 35;
    const SMALLEST: usize = (PAGE - 12) * 32 / 255 - 23;
    if length <= LARGEST {
        return length;
    }
    let wanted = SMALLEST + (length - SMALLEST) % (PAGE - 4);
    if wanted <= LARGEST { wanted } else { SMALLEST }
}

/// Where the cells of a leaf page start.
fn cells(page: &[u8], number: u64) -> Vec<usize> {
    let header = if number == 1 { 100 } else { 0 };
    if page[header] != LEAF {
        return Vec::new();
    }
    let two =
        |at: usize| Some(usize::from(u16::from_be_bytes([*page.get(at)?, *page.get(at + 1)?])));
    let count = two(header + 3).unwrap_or(0).min(PAGE / 2);
    (0..count).map_while(|index| two(header + 8 + 2 * index)).collect()
}

fn number_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for index in 0..9 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if index == 8 {
            return Some((value << 8) | u64::from(byte));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

enum Value<'a> {
    Null,
    Number(i64),
    Bytes(&'a [u8]),
}

/// A row of `entries`, if that is what it is.
fn decode(pos: u64, row: &[u8]) -> Option<Entry> {
    let mut types = row;
    let header = usize::try_from(varint(&mut types)?).ok()?;
    let mut types = row.get(row.len() - types.len()..header)?;
    let mut content = row.get(header..)?;
    let mut values = Vec::with_capacity(ENTRY_COLUMNS);
    while !types.is_empty() {
        values.push(value(varint(&mut types)?, &mut content)?);
    }
    let [
        Value::Null,
        Value::Number(class),
        Value::Number(epoch),
        Value::Number(seq),
        Value::Number(span),
        Value::Number(boot),
        Value::Number(mono_ms),
        Value::Number(wall_ms),
        Value::Number(synced),
        Value::Number(count),
        Value::Number(missing),
        Value::Number(checksum),
        digests,
        Value::Bytes(payload),
    ] = values.try_into().ok().filter(|_: &[Value<'_>; ENTRY_COLUMNS]| true)?
    else {
        return None;
    };
    let entry = Entry {
        pos,
        class: Class::from_number(class)?,
        epoch: epoch.cast_unsigned(),
        seq: seq.cast_unsigned(),
        span: span.cast_unsigned(),
        stamp: Stamp {
            boot: boot.cast_unsigned(),
            mono_ms: mono_ms.cast_unsigned(),
            wall_ms,
            synced: synced != 0,
        },
        count: count.cast_unsigned(),
        missing: missing.cast_unsigned(),
        digests: match digests {
            Value::Bytes(bytes) => Some(bytes.to_vec()),
            _ => None,
        },
        payload: payload.to_vec(),
    };
    entry.checked(checksum)
}

fn value<'a>(kind: u64, content: &mut &'a [u8]) -> Option<Value<'a>> {
    let length = match kind {
        0 => return Some(Value::Null),
        8 => return Some(Value::Number(0)),
        9 => return Some(Value::Number(1)),
        1..=4 => usize::try_from(kind).ok()?,
        5 => 6,
        6 => 8,
        12.. => usize::try_from((kind - 12) / 2).ok()?,
        _ => return None,
    };
    let (bytes, rest) = content.split_at_checked(length)?;
    *content = rest;
    if kind >= 12 {
        return Some(Value::Bytes(bytes));
    }
    let first = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
    Some(Value::Number(bytes.iter().fold(first, |number, &byte| (number << 8) | i64::from(byte))))
}
