//! Ids of taps and sets of the last 7 days: what comes again under the same id is a repeat.
//!
//! The rows are written in the order of arrival and read only at start, so they need no index on random ids,
//! which would cost a page write each.

use super::schema;
use protocol::time::Stamp;
use rusqlite::{Connection, params};
use std::collections::{HashSet, VecDeque};
use uuid::Uuid;

const KEEP_MS: i64 = 7 * 24 * 3600 * 1000;
/// Bound on memory; beyond, the oldest ids are forgotten before their time.
const MAX_IDS: usize = 200_000;

/// The ids, in memory.
#[derive(Debug, Default)]
pub struct RecentIds {
    known: HashSet<Uuid>,
    order: VecDeque<(u64, Uuid, Stamp)>,
    next: u64,
    /// Rows before this one are forgotten.
    forgotten: u64,
    /// Rows from here on are not on disk yet.
    saved: u64,
}

impl RecentIds {
    /// Notes an id. Whether it is new.
    pub fn note(&mut self, id: Uuid, stamp: Stamp) -> bool {
        if !self.known.insert(id) {
            return false;
        }
        self.order.push_back((self.next, id, stamp));
        self.next += 1;
        self.forget(stamp);
        true
    }

    fn forget(&mut self, now: Stamp) {
        while let Some(&(n, id, stamp)) = self.order.front()
            && (self.order.len() > MAX_IDS || age_ms(stamp, now) > KEEP_MS)
        {
            self.known.remove(&id);
            self.order.pop_front();
            self.forgotten = n + 1;
        }
    }

    /// Every id, oldest first, and when it came.
    pub fn all(&self) -> impl Iterator<Item = (Uuid, Stamp)> {
        self.order.iter().map(|&(_, id, stamp)| (id, stamp))
    }

    /// Writes what changed, as part of the caller's transaction.
    pub fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        if self.saved == self.next {
            return Ok(());
        }
        let first = self.order.partition_point(|&(n, ..)| n < self.saved);
        for (n, id, stamp) in self.order.range(first..) {
            connection.prepare_cached(schema::INSERT_RECENT_ID)?.execute(params![
                n.cast_signed(),
                id.as_bytes(),
                stamp.boot.cast_signed(),
                stamp.mono_ms.cast_signed(),
                stamp.wall_ms,
                stamp.synced
            ])?;
        }
        if self.forgotten > 0 {
            connection
                .prepare_cached(schema::FORGET_RECENT_IDS)?
                .execute([self.forgotten.cast_signed()])?;
        }
        Ok(())
    }

    /// The transaction is committed.
    pub fn saved(&mut self) {
        self.saved = self.next;
    }

    /// Everything has to be written anew.
    pub fn unsaved(&mut self) {
        self.saved = 0;
    }

    /// Reads the table.
    pub fn load(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(schema::RECENT_IDS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let n = row.get::<_, i64>(0)?.cast_unsigned();
            let id = Uuid::from_bytes(row.get(1)?);
            let stamp = Stamp {
                boot: row.get::<_, i64>(2)?.cast_unsigned(),
                mono_ms: row.get::<_, i64>(3)?.cast_unsigned(),
                wall_ms: row.get(4)?,
                synced: row.get(5)?,
            };
            if n >= self.next && self.known.insert(id) {
                self.order.push_back((n, id, stamp));
                self.next = n + 1;
            }
        }
        self.saved = self.next;
        Ok(())
    }
}

/// How old something is; 0 if no clock can tell. A wall clock that was never synced proves nothing.
fn age_ms(then: Stamp, now: Stamp) -> i64 {
    if then.boot == now.boot {
        i64::try_from(now.mono_ms.saturating_sub(then.mono_ms)).unwrap_or(i64::MAX)
    } else if then.synced && now.synced {
        now.wall_ms.saturating_sub(then.wall_ms)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(boot: u64, mono_ms: u64, wall_ms: i64, synced: bool) -> Stamp {
        Stamp { boot, mono_ms, wall_ms, synced }
    }

    #[test]
    fn an_id_is_known_for_seven_days() {
        let mut ids = RecentIds::default();
        let week = KEEP_MS.cast_unsigned();
        assert!(ids.note(Uuid::from_u128(1), stamp(1, 0, 0, true)));

        assert!(!ids.note(Uuid::from_u128(1), stamp(1, week, 0, true)));
        assert!(ids.note(Uuid::from_u128(2), stamp(1, week + 1, 0, true)));
        assert!(ids.note(Uuid::from_u128(1), stamp(1, week + 2, 0, true)), "forgotten");
    }

    #[test]
    fn a_clock_that_jumped_forgets_nothing() {
        let mut ids = RecentIds::default();
        ids.note(Uuid::from_u128(1), stamp(1, 0, 0, false));

        ids.note(Uuid::from_u128(2), stamp(2, 0, KEEP_MS * 100, true));

        assert!(!ids.note(Uuid::from_u128(1), stamp(2, 1, KEEP_MS * 100, true)));
    }

    #[test]
    fn the_table_gives_back_what_was_noted() {
        let connection = Connection::open_in_memory().unwrap();
        schema::migrate(&connection).unwrap();
        let mut ids = RecentIds::default();
        ids.note(Uuid::from_u128(1), stamp(1, 0, 0, true));
        ids.save(&connection).unwrap();

        let mut read = RecentIds::default();
        read.load(&connection).unwrap();

        assert!(!read.note(Uuid::from_u128(1), stamp(1, 5, 5, true)));
        assert!(read.note(Uuid::from_u128(2), stamp(1, 5, 5, true)));
    }
}
