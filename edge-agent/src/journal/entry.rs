//! One row of `entries`: every row carries what is needed to read it on its own.

use super::classes::Class;
use protocol::sync::entry::{Body, Event, Gap, GapReason, MAX_ENTRY_BYTES, Source, Stream};
use protocol::time::Stamp;
use rusqlite::{CachedStatement, Row, params};

/// A row of `entries`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its key in the file.
    pub pos: u64,
    /// What kind it is.
    pub class: Class,
    /// Which opening of the journal wrote it.
    pub epoch: u64,
    /// Its number in the epoch, or the first of the numbers that it stands for.
    pub seq: u64,
    /// How many numbers it stands for.
    pub span: u64,
    /// When it was written.
    pub stamp: Stamp,
    /// Samples or events in the payload.
    pub count: u64,
    /// Samples that thinning has taken out of it.
    pub missing: u64,
    /// Of messages without `boot`, see [`super::repeats`].
    pub digests: Option<Vec<u8>>,
    /// [`protocol::machine::columns`], maybe compressed, or [`Event::encode`].
    pub payload: Vec<u8>,
}

/// All columns of an entry, in the order of [`Entry::read`].
macro_rules! entry_columns {
    () => {
        "pos, class, epoch, seq, span, boot, mono_ms, wall_ms, synced, count, missing, checksum, digests, payload"
    };
}
pub(super) use entry_columns;

/// Number of columns of `entries`.
pub(super) const ENTRY_COLUMNS: usize = 14;

impl Entry {
    /// The last of its numbers.
    pub fn last_seq(&self) -> u64 {
        self.seq + self.span - 1
    }

    /// The key of the next entry.
    pub fn next_pos(&self) -> u64 {
        self.pos + self.span
    }

    /// An entry that stands for `span` others from `pos` on.
    pub fn gap(place: Place, span: u64, stream: Stream, reason: GapReason, count: u64) -> Self {
        let gap =
            Gap { stream, reason, first_seq: place.seq, last_seq: place.seq + span - 1, count };
        let event = Event { stamp: place.stamp, source: Source::Edge, body: Body::Gap(gap) };
        Self {
            pos: place.pos,
            class: Class::Gap,
            epoch: place.epoch,
            seq: place.seq,
            span,
            stamp: place.stamp,
            count: 1,
            missing: 0,
            digests: None,
            payload: event.encode(),
        }
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        Place { pos: self.pos, epoch: self.epoch, seq: self.seq, stamp: self.stamp }
    }

    /// Reads a row of `entry_columns!()`. `None`: it is not what was written.
    pub fn read(row: &Row<'_>) -> rusqlite::Result<Option<Self>> {
        let Some(class) = Class::from_number(row.get(1)?) else { return Ok(None) };
        let entry = Self {
            pos: row.get::<_, i64>(0)?.cast_unsigned(),
            class,
            epoch: row.get::<_, i64>(2)?.cast_unsigned(),
            seq: row.get::<_, i64>(3)?.cast_unsigned(),
            span: row.get::<_, i64>(4)?.cast_unsigned(),
            stamp: Stamp {
                boot: row.get::<_, i64>(5)?.cast_unsigned(),
                mono_ms: row.get::<_, i64>(6)?.cast_unsigned(),
                wall_ms: row.get(7)?,
                synced: row.get(8)?,
            },
            count: row.get::<_, i64>(9)?.cast_unsigned(),
            missing: row.get::<_, i64>(10)?.cast_unsigned(),
            digests: row.get(12)?,
            payload: row.get(13)?,
        };
        let checksum: i64 = row.get(11)?;
        Ok(entry.checked(checksum))
    }

    /// The entry, if it is whole.
    pub(super) fn checked(self, checksum: i64) -> Option<Self> {
        let is_sane = self.span >= 1
            && self.seq >= 1
            && self.pos.checked_add(self.span).is_some_and(|end| i64::try_from(end).is_ok())
            && self.seq.checked_add(self.span).is_some()
            && self.payload.len() <= MAX_ENTRY_BYTES;
        (is_sane && i64::from(self.checksum()) == checksum).then_some(self)
    }

    /// Binds and runs [`super::schema::INSERT_ENTRY`].
    pub fn insert(&self, statement: &mut CachedStatement<'_>) -> rusqlite::Result<()> {
        statement.execute(params![
            self.pos.cast_signed(),
            self.class as i64,
            self.epoch.cast_signed(),
            self.seq.cast_signed(),
            self.span.cast_signed(),
            self.stamp.boot.cast_signed(),
            self.stamp.mono_ms.cast_signed(),
            self.stamp.wall_ms,
            self.stamp.synced,
            self.count.cast_signed(),
            self.missing.cast_signed(),
            i64::from(self.checksum()),
            self.digests,
            self.payload,
        ])?;
        Ok(())
    }

    /// Over everything: `SQLite` has no checksum of its own on a page.
    fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&[self.class as u8, u8::from(self.stamp.synced)]);
        let numbers = [
            self.pos,
            self.epoch,
            self.seq,
            self.span,
            self.stamp.boot,
            self.stamp.mono_ms,
            self.stamp.wall_ms.cast_unsigned(),
            self.count,
            self.missing,
        ];
        for number in numbers {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(self.digests.as_deref().unwrap_or_default());
        hasher.update(&self.payload);
        hasher.finalize()
    }
}

/// Where an entry is, and when it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its key in the file.
    pub pos: u64,
    /// Which opening of the journal wrote it.
    pub epoch: u64,
    /// Its number in the epoch.
    pub seq: u64,
    /// When it was written.
    pub stamp: Stamp,
}
