//! Openings of the journal, in order of age, and how far the cloud has each of them.

use super::schema;
use protocol::sync::state::Position;
use rusqlite::{Connection, OptionalExtension, params};

/// One opening of the journal for writing.
#[expect(clippy::struct_field_names, reason = "an epoch is known by its number of that name")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    /// Its place in the order of age.
    pub ordinal: u64,
    /// Its random number.
    pub epoch: u64,
    /// Key of its first entry.
    pub first_pos: u64,
    /// The last number that is committed; 0 if there is none.
    pub last_seq: u64,
    /// The last number that the cloud has.
    pub acked_seq: u64,
}

impl Epoch {
    /// The key of an entry.
    pub fn pos(&self, seq: u64) -> u64 {
        self.first_pos + seq - 1
    }

    /// The number of an entry.
    pub fn seq(&self, pos: u64) -> u64 {
        pos - self.first_pos + 1
    }

    /// Whether the cloud has all of it.
    pub fn is_done(&self) -> bool {
        self.acked_seq >= self.last_seq
    }

    /// Writes it, as part of the caller's transaction.
    pub fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.prepare_cached(schema::PUT_EPOCH)?.execute(params![
            self.ordinal.cast_signed(),
            self.epoch.cast_signed(),
            self.first_pos.cast_signed(),
            self.acked_seq.cast_signed()
        ])?;
        Ok(())
    }
}

/// All of them; the last is the one that is written to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Epochs(pub Vec<Epoch>);

impl Epochs {
    /// Reads the table, and where each ends from the entries.
    pub fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare(schema::EPOCHS)?;
        let mut epochs = statement
            .query_map([], |row| {
                Ok(Epoch {
                    ordinal: row.get::<_, i64>(0)?.cast_unsigned(),
                    epoch: row.get::<_, i64>(1)?.cast_unsigned(),
                    first_pos: row.get::<_, i64>(2)?.cast_unsigned(),
                    last_seq: 0,
                    acked_seq: row.get::<_, i64>(3)?.cast_unsigned(),
                })
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        for index in 0..epochs.len() {
            let end = epochs.get(index + 1).map_or(i64::MAX.cast_unsigned(), |next| next.first_pos);
            let epoch = &mut epochs[index];
            let last = last_before(connection, end)?.filter(|&pos| pos >= epoch.first_pos);
            epoch.last_seq = last.map_or(epoch.acked_seq, |pos| epoch.seq(pos));
        }
        Ok(Self(epochs))
    }

    /// The one that is written to.
    pub fn current(&self) -> Epoch {
        *self.0.last().expect("a journal is opened with an epoch of its own")
    }

    /// The one that is written to.
    pub fn current_mut(&mut self) -> &mut Epoch {
        self.0.last_mut().expect("a journal is opened with an epoch of its own")
    }

    /// The one with this random number.
    pub fn find_mut(&mut self, epoch: u64) -> Option<&mut Epoch> {
        self.0.iter_mut().find(|known| known.epoch == epoch)
    }

    /// The oldest that the cloud does not have whole.
    pub fn oldest_unsent(&self) -> Option<Epoch> {
        self.0.iter().find(|epoch| !epoch.is_done()).copied()
    }

    /// The epoch and number to read from: behind `after`, and never what the cloud has.
    pub fn next_range(&self, after: Option<Position>) -> Option<(Epoch, u64)> {
        let index = after
            .and_then(|after| self.0.iter().position(|epoch| epoch.epoch == after.epoch))
            .unwrap_or(0);
        let from = |epoch: &Epoch| {
            let sent =
                after.filter(|after| after.epoch == epoch.epoch).map_or(0, |after| after.seq);
            sent.max(epoch.acked_seq) + 1
        };
        let mut ranges = self.0[index..].iter().map(|epoch| (*epoch, from(epoch)));
        ranges.find(|(epoch, first_seq)| *first_seq <= epoch.last_seq)
    }

    /// Entries that the cloud does not have.
    pub fn backlog(&self) -> u64 {
        self.0.iter().map(|epoch| epoch.last_seq.saturating_sub(epoch.acked_seq)).sum()
    }

    /// Everything before this key is with the cloud.
    pub fn acked_pos(&self) -> u64 {
        let current = self.current();
        self.oldest_unsent()
            .map_or(current.pos(current.last_seq + 1), |epoch| epoch.pos(epoch.acked_seq + 1))
    }

    /// Key of the first entry behind an epoch.
    pub fn end_of(&self, epoch: &Epoch) -> u64 {
        self.0
            .iter()
            .find(|other| other.ordinal > epoch.ordinal)
            .map_or(epoch.pos(epoch.last_seq + 1), |next| next.first_pos)
    }
}

/// The last key that an entry before `end` stands for.
pub fn last_before(connection: &Connection, end: u64) -> rusqlite::Result<Option<u64>> {
    connection
        .prepare_cached(schema::LAST_BEFORE)?
        .query_row([end.cast_signed()], |row| {
            Ok((row.get::<_, i64>(0)? + row.get::<_, i64>(1)? - 1).cast_unsigned())
        })
        .optional()
}
