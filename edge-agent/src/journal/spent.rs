//! What opens a door only once: counters of cards, and QR codes. A use is durable with the decision it led to, and
//! what this memory may have lost counts as used: a replay must not become possible by damage, bounds or a new file.

use super::let_in::LetIn;
use super::schema;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

/// Bound on memory; a branch sees a few thousand codes within the lifetime of one.
const MAX_CODES: usize = 50_000;
/// Names of marks.
const COMPLETE_SINCE: &str = "codes_complete_since_s";
const FORGOTTEN_TO: &str = "codes_forgotten_to_s";

/// What a code says about itself, proven: enough to tell it from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UsedCode {
    /// [`QrPayload::use_id`](protocol::credential::qr::QrPayload::use_id).
    pub id: [u8; 16],
    /// Unix seconds at which it was made.
    pub issued_s: u32,
    /// Unix seconds after which it is taken no more.
    pub expires_s: u32,
}

/// What time it is, for the memory of codes.
#[derive(Debug, Clone, Copy)]
pub struct CodeTime {
    /// Unix seconds, when they are certain.
    pub now_s: Option<u32>,
    /// Unix seconds at which the agent was started, when they are certain.
    pub started_s: Option<u32>,
}

/// The memory.
#[derive(Debug, Default)]
pub struct Spent {
    counters: HashMap<[u8; 32], u32>,
    changed: BTreeSet<[u8; 32]>,
    known: HashSet<[u8; 16]>,
    order: VecDeque<(u64, UsedCode)>,
    next: u64,
    /// Rows before this one are forgotten.
    forgotten: u64,
    /// Rows from here on are not on disk yet.
    saved: u64,
    /// Codes made before may have been used without this memory knowing.
    complete_since_s: Option<u32>,
    /// Codes made until then may have been forgotten; those are expired, as far as anybody knows the time.
    forgotten_to_s: u32,
    has_changed_marks: bool,
    /// Beside it, who was let in the last time they came.
    pub let_in: LetIn,
}

impl Spent {
    /// Uses up a card's counter, and all lower ones. Whether it was unused.
    pub fn use_counter(&mut self, card: [u8; 32], counter: u32) -> bool {
        let is_unused = self.counters.get(&card).is_none_or(|&used| used < counter);
        if is_unused {
            self.counters.insert(card, counter);
            self.changed.insert(card);
        }
        is_unused
    }

    /// Uses up a code. Whether it was certainly unused.
    pub fn use_code(&mut self, code: UsedCode, time: CodeTime) -> bool {
        if self.complete_since_s.is_none() && time.started_s.is_some() {
            self.complete_since_s = time.started_s;
            self.has_changed_marks = true;
        }
        let is_told_of = self.complete_since_s.is_none_or(|since_s| since_s <= code.issued_s);
        // While the time is certain, what was forgotten has expired.
        let is_remembered = time.now_s.is_some() || code.issued_s > self.forgotten_to_s;
        if !is_told_of || !is_remembered || !self.known.insert(code.id) {
            return false;
        }
        self.order.push_back((self.next, code));
        self.next += 1;
        self.forget(time.now_s);
        true
    }

    fn forget(&mut self, now_s: Option<u32>) {
        while let Some(&(n, code)) = self.order.front() {
            let is_expired = now_s.is_some_and(|now_s| now_s > code.expires_s);
            if !is_expired && self.order.len() <= MAX_CODES {
                break;
            }
            if !is_expired {
                // It is still good: from now on nothing that old is.
                let since_s = code.issued_s.saturating_add(1);
                self.complete_since_s = self.complete_since_s.max(Some(since_s));
            }
            self.forgotten_to_s = self.forgotten_to_s.max(code.issued_s);
            self.has_changed_marks = true;
            self.known.remove(&code.id);
            self.order.pop_front();
            self.forgotten = n + 1;
        }
    }

    /// Takes over what another memory knows as used. What either of them may have forgotten counts as used.
    pub fn absorb(&mut self, other: &Self) {
        for (&card, &counter) in &other.counters {
            self.use_counter(card, counter);
        }
        for &(_, code) in &other.order {
            if self.known.insert(code.id) {
                self.order.push_back((self.next, code));
                self.next += 1;
            }
        }
        self.let_in.become_like(&other.let_in);
        self.complete_since_s = self.complete_since_s.max(other.complete_since_s);
        self.forgotten_to_s = self.forgotten_to_s.max(other.forgotten_to_s);
        self.has_changed_marks = true;
    }

    /// Writes what changed, as part of the caller's transaction.
    pub fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.let_in.save(connection)?;
        for card in &self.changed {
            connection
                .prepare_cached(schema::PUT_CARD_COUNTER)?
                .execute(params![card, self.counters.get(card)])?;
        }
        let first = self.order.partition_point(|&(n, _)| n < self.saved);
        for (n, code) in self.order.range(first..) {
            connection.prepare_cached(schema::INSERT_USED_CODE)?.execute(params![
                n.cast_signed(),
                code.id,
                code.issued_s,
                code.expires_s
            ])?;
        }
        if self.has_changed_marks {
            connection
                .prepare_cached(schema::FORGET_USED_CODES)?
                .execute([self.forgotten.cast_signed()])?;
            let mut put = connection.prepare_cached(schema::PUT_MARK)?;
            put.execute(params![FORGOTTEN_TO, self.forgotten_to_s])?;
            if let Some(since_s) = self.complete_since_s {
                put.execute(params![COMPLETE_SINCE, since_s])?;
            }
        }
        Ok(())
    }

    /// The transaction is committed.
    pub fn saved(&mut self) {
        self.let_in.saved();
        self.changed.clear();
        self.saved = self.next;
        self.has_changed_marks = false;
    }

    /// Everything has to be written anew.
    pub fn unsaved(&mut self) {
        self.let_in.unsaved();
        self.changed = self.counters.keys().copied().collect();
        self.saved = 0;
        self.has_changed_marks = true;
    }

    /// Reads the tables. What cannot be read counts as used, as far as that can be told.
    pub fn load(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.load_counters(connection)?;
        self.let_in.load(connection)?;
        self.load_codes(connection)?;
        let mark = |name: &str| {
            let value = connection.query_row(schema::MARK, [name], |row| row.get(0)).optional();
            value.map(|value: Option<i64>| value.and_then(|value| u32::try_from(value).ok()))
        };
        self.forgotten_to_s = mark(FORGOTTEN_TO)?.unwrap_or(0);
        // Last: without it, nothing made before this start counts as unused.
        self.complete_since_s = mark(COMPLETE_SINCE)?;
        Ok(())
    }

    fn load_counters(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(schema::CARD_COUNTERS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.counters.insert(row.get(0)?, row.get(1)?);
        }
        Ok(())
    }

    fn load_codes(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(schema::USED_CODES)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let n = row.get::<_, i64>(0)?.cast_unsigned();
            let code = UsedCode { id: row.get(1)?, issued_s: row.get(2)?, expires_s: row.get(3)? };
            if n >= self.next && self.known.insert(code.id) {
                self.order.push_back((n, code));
                self.next = n + 1;
            }
        }
        self.saved = self.next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: [u8; 32] = [7; 32];
    const NOON: u32 = 1_795_000_000;

    fn code(number: u8, issued_s: u32) -> UsedCode {
        UsedCode { id: [number; 16], issued_s, expires_s: issued_s + 60 }
    }

    fn at(now_s: u32) -> CodeTime {
        CodeTime { now_s: Some(now_s), started_s: Some(NOON) }
    }

    const UNCERTAIN: CodeTime = CodeTime { now_s: None, started_s: None };

    fn reopened(spent: &Spent) -> Spent {
        let connection = Connection::open_in_memory().unwrap();
        schema::migrate(&connection).unwrap();
        spent.save(&connection).unwrap();
        let mut read = Spent::default();
        read.load(&connection).unwrap();
        read
    }

    #[test]
    fn a_counter_goes_up_or_it_is_a_replay() {
        let mut spent = Spent::default();

        let uses = [5, 5, 4, 6, 5].map(|counter| spent.use_counter(CARD, counter));

        assert_eq!(uses, [true, false, false, true, false]);
        assert!(spent.use_counter([8; 32], 1), "another card counts for itself");
    }

    #[test]
    fn the_tables_give_back_what_was_used() {
        let mut spent = Spent::default();
        spent.use_counter(CARD, 5);
        spent.use_code(code(1, NOON), at(NOON));

        let mut read = reopened(&spent);

        assert!(!read.use_counter(CARD, 5));
        assert!(!read.use_code(code(1, NOON), at(NOON + 1)));
        assert!(read.use_code(code(2, NOON), at(NOON + 1)));
    }

    #[test]
    fn codes_from_before_a_memory_that_was_lost_are_used() {
        let mut spent = Spent::default();

        assert!(!spent.use_code(code(1, NOON - 1), at(NOON + 1)));
        assert!(spent.use_code(code(2, NOON), at(NOON + 1)));
    }

    #[test]
    fn a_code_that_expired_is_forgotten_and_stays_used_when_the_time_is_lost() {
        let mut spent = Spent::default();
        spent.use_code(code(1, NOON), at(NOON));
        spent.use_code(code(2, NOON + 100), at(NOON + 100));
        assert_eq!(spent.order.len(), 1);

        let mut read = reopened(&spent);

        assert!(!read.use_code(code(1, NOON), UNCERTAIN));
        assert!(read.use_code(code(3, NOON + 101), UNCERTAIN));
    }

    #[test]
    fn what_another_memory_knows_as_used_is_used() {
        let (mut spent, mut other) = (Spent::default(), Spent::default());
        spent.use_counter(CARD, 5);
        spent.use_code(code(1, NOON), at(NOON));
        other.use_counter(CARD, 7);
        other.use_code(code(2, NOON), at(NOON));

        spent.absorb(&other);

        let mut read = reopened(&spent);
        assert!(!read.use_counter(CARD, 7) && read.use_counter(CARD, 8));
        let is_used = |read: &mut Spent, n| !read.use_code(code(n, NOON), at(NOON));
        assert!(is_used(&mut read, 1) && is_used(&mut read, 2) && !is_used(&mut read, 3));
    }

    #[test]
    fn what_the_bound_pushes_out_stays_used() {
        let mut spent = Spent::default();
        let numbered = |n: usize| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&n.to_le_bytes());
            UsedCode { id, issued_s: NOON, expires_s: NOON + 60 }
        };
        for n in 0..=MAX_CODES {
            spent.use_code(numbered(n), at(NOON));
        }

        assert_eq!(spent.order.len(), MAX_CODES);
        assert!(!spent.use_code(numbered(0), at(NOON)));
        assert!(spent.use_code(code(1, NOON + 1), at(NOON + 1)));
    }
}
