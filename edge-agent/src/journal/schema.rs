//! The schema, its migrations, and every statement that is run often.

use super::entry::entry_columns;
use rusqlite::Connection;

/// In order; the number of those applied is `user_version`.
const MIGRATIONS: [&str; 3] = [
    include_str!("../../migrations/journal_1.sql"),
    include_str!("../../migrations/journal_2.sql"),
    include_str!("../../migrations/journal_3.sql"),
];

/// The newest schema version.
pub const VERSION: i64 = 3;
const _: () = assert!(MIGRATIONS.len() == 3, "the version counts the migrations");

pub const INSERT_ENTRY: &str = concat!(
    "INSERT INTO entries (",
    entry_columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
);
pub const RESTORE_ENTRY: &str = concat!(
    "INSERT OR IGNORE INTO entries (",
    entry_columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
);
/// Entries from a position up to before another.
pub const ENTRIES: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM entries WHERE pos >= ?1 AND pos < ?2 ORDER BY pos LIMIT ?3"
);
/// Those of the last entries that are no telemetry.
pub const LAST_EVENTS: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM entries WHERE class <> 0 AND pos >= (SELECT coalesce(min(pos), 0) FROM \
     (SELECT pos FROM entries ORDER BY pos DESC LIMIT ?1)) ORDER BY pos"
);
/// The entry nearest before a position.
pub const ENTRY_BEFORE: &str =
    concat!("SELECT ", entry_columns!(), " FROM entries WHERE pos < ?1 ORDER BY pos DESC LIMIT 1");
pub const PLACES: &str = "SELECT pos, class, span, count, missing FROM entries WHERE pos >= ?1 AND pos < ?2 \
     ORDER BY pos LIMIT ?3";
pub const LAST_BEFORE: &str =
    "SELECT pos, span FROM entries WHERE pos < ?1 ORDER BY pos DESC LIMIT 1";
pub const DELETE_ENTRIES: &str = "DELETE FROM entries WHERE pos >= ?1 AND pos < ?2";
pub const OLDEST_STATUS: &str =
    "SELECT pos FROM entries WHERE class = 2 AND pos > ?1 ORDER BY pos LIMIT 1";
pub const OLDEST_REJECT: &str =
    "SELECT pos FROM entries WHERE class = 3 AND pos > ?1 ORDER BY pos LIMIT 1";
pub const COUNT_REJECTS: &str = "SELECT count(*) FROM entries WHERE class = 3";

pub const EPOCHS: &str = "SELECT ordinal, epoch, first_pos, acked_seq FROM epochs ORDER BY ordinal";
pub const PUT_EPOCH: &str =
    "INSERT OR REPLACE INTO epochs (ordinal, epoch, first_pos, acked_seq) VALUES (?1, ?2, ?3, ?4)";
pub const DELETE_EPOCH: &str = "DELETE FROM epochs WHERE ordinal = ?1";

pub const DEVICES: &str = "SELECT number, id FROM devices ORDER BY number";
pub const INSERT_DEVICE: &str = "INSERT OR REPLACE INTO devices (number, id) VALUES (?1, ?2)";

pub const REPEATS: &str = "SELECT device, state FROM repeats ORDER BY device";
pub const PUT_REPEATS: &str = "INSERT OR REPLACE INTO repeats (device, state) VALUES (?1, ?2)";

pub const RECENT_IDS: &str =
    "SELECT n, id, boot, mono_ms, wall_ms, synced FROM recent_ids ORDER BY n";
pub const INSERT_RECENT_ID: &str = "INSERT OR REPLACE INTO recent_ids (n, id, boot, mono_ms, wall_ms, synced) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
pub const FORGET_RECENT_IDS: &str = "DELETE FROM recent_ids WHERE n < ?1";

pub const CARD_COUNTERS: &str = "SELECT card, counter FROM card_counters";
pub const PUT_CARD_COUNTER: &str =
    "INSERT OR REPLACE INTO card_counters (card, counter) VALUES (?1, ?2)";

pub const USED_CODES: &str = "SELECT n, code, issued_s, expires_s FROM used_codes ORDER BY n";
pub const INSERT_USED_CODE: &str =
    "INSERT OR REPLACE INTO used_codes (n, code, issued_s, expires_s) VALUES (?1, ?2, ?3, ?4)";
pub const FORGET_USED_CODES: &str = "DELETE FROM used_codes WHERE n < ?1";

pub const LET_IN: &str = "SELECT member FROM let_in";
pub const PUT_LET_IN: &str = "INSERT OR REPLACE INTO let_in (member) VALUES (?1)";
pub const DELETE_LET_IN: &str = "DELETE FROM let_in WHERE member = ?1";

pub const FLOOR: &str = "SELECT kind, id, value FROM floor ORDER BY kind, id";
pub const PUT_FLOOR: &str = "INSERT OR REPLACE INTO floor (kind, id, value) VALUES (?1, ?2, ?3)";
pub const DELETE_FLOOR: &str = "DELETE FROM floor WHERE kind = ?1 AND id = ?2";

/// Facts and what devices said, for a floor that has to be made anew.
pub const TOLD: &str =
    concat!("SELECT ", entry_columns!(), " FROM entries WHERE class IN (1, 2) ORDER BY pos");

pub const COUNTED_REJECTS: &str = "SELECT device, event FROM counted_rejects ORDER BY device";
pub const PUT_COUNTED_REJECT: &str =
    "INSERT OR REPLACE INTO counted_rejects (device, event) VALUES (?1, ?2)";
pub const DELETE_COUNTED_REJECT: &str = "DELETE FROM counted_rejects WHERE device = ?1";

pub const RETAINED: &str = "SELECT topic, payload FROM retained ORDER BY topic";
pub const PUT_RETAINED: &str = "INSERT OR REPLACE INTO retained (topic, payload) VALUES (?1, ?2)";
pub const DELETE_RETAINED: &str = "DELETE FROM retained WHERE topic = ?1";

pub const MARK: &str = "SELECT value FROM marks WHERE name = ?1";
pub const PUT_MARK: &str = "INSERT OR REPLACE INTO marks (name, value) VALUES (?1, ?2)";

/// Brings an older file, or an empty one, to [`VERSION`]. A newer file is the caller's matter.
pub fn migrate(connection: &Connection) -> rusqlite::Result<()> {
    let found = version(connection)?;
    for (number, migration) in (1_i64..).zip(MIGRATIONS).filter(|&(number, _)| number > found) {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {migration}; PRAGMA user_version = {number}; COMMIT"
        ))?;
    }
    Ok(())
}

/// The schema version of a file; 0 for an empty one.
pub fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Every statement above.
#[cfg(test)]
pub const ALL: [&str; 39] = [
    LAST_EVENTS,
    INSERT_ENTRY,
    RESTORE_ENTRY,
    ENTRIES,
    ENTRY_BEFORE,
    PLACES,
    LAST_BEFORE,
    DELETE_ENTRIES,
    OLDEST_STATUS,
    OLDEST_REJECT,
    COUNT_REJECTS,
    EPOCHS,
    PUT_EPOCH,
    DELETE_EPOCH,
    DEVICES,
    INSERT_DEVICE,
    REPEATS,
    PUT_REPEATS,
    RECENT_IDS,
    INSERT_RECENT_ID,
    FORGET_RECENT_IDS,
    CARD_COUNTERS,
    PUT_CARD_COUNTER,
    USED_CODES,
    INSERT_USED_CODE,
    FORGET_USED_CODES,
    LET_IN,
    PUT_LET_IN,
    DELETE_LET_IN,
    FLOOR,
    PUT_FLOOR,
    DELETE_FLOOR,
    TOLD,
    COUNTED_REJECTS,
    PUT_COUNTED_REJECT,
    DELETE_COUNTED_REJECT,
    RETAINED,
    PUT_RETAINED,
    DELETE_RETAINED,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_fits_the_schema() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection).unwrap();

        for statement in ALL.into_iter().chain([MARK, PUT_MARK]) {
            connection.prepare(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    #[test]
    fn telemetry_pays_for_no_index() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection).unwrap();

        for (statement, index) in
            [(OLDEST_STATUS, "entries_status"), (OLDEST_REJECT, "entries_reject")]
        {
            let plan: String = connection
                .query_row(&format!("EXPLAIN QUERY PLAN {statement}"), [0], |row| row.get(3))
                .unwrap();
            assert!(plan.contains(index), "{plan}");
        }
    }
}
