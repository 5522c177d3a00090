//! Accounts, sessions and failed sign-ins of the staff page, as `branch.db` keeps them. The rules are in
//! `staff/accounts/`, which holds all of it in memory and writes through.

use super::{Registry, tables};
use anyhow::Result;
use protocol::ids::UserId;
use protocol::sync::roster::{RosterItem, RosterKind, StaffRecord};
use rusqlite::{Connection, Row, params};
use std::fmt;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Somebody who may sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Which account.
    pub id: Uuid,
    /// As its owner writes it.
    pub name: String,
    /// What it may do, as a word.
    pub role: String,
    /// Hash of the password.
    pub password: Zeroizing<String>,
    /// The same person in the cloud's roster.
    pub staff: Option<UserId>,
}

/// Neither name nor hash.
impl fmt::Debug for AccountRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountRow({}, {})", self.id, self.role)
    }
}

/// Somebody who is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRow {
    /// SHA-256 of the cookie.
    pub token: [u8; 32],
    /// Whose.
    pub account: Uuid,
    /// Of which start of the computer its times are.
    pub boot: u64,
    /// When it began.
    pub began_mono_ms: u64,
    /// When it was last used, as far as that was written.
    pub seen_mono_ms: u64,
}

/// Failed sign-ins of one account or address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureRow {
    /// Hash of whom or where.
    pub subject: [u8; 32],
    /// How many in a row.
    pub count: u32,
    /// Of which start of the computer `mono_ms` is.
    pub boot: u64,
    /// When the last one was.
    pub mono_ms: u64,
}

/// Everything there is.
#[derive(Debug, Default)]
pub struct StaffRows {
    /// Accounts.
    pub accounts: Vec<AccountRow>,
    /// Sessions.
    pub sessions: Vec<SessionRow>,
    /// Failures.
    pub failures: Vec<FailureRow>,
}

const READ_ACCOUNTS: &str = "SELECT id, name, role, password, staff FROM staff_accounts";
const READ_SESSIONS: &str =
    "SELECT token, account, boot, began_mono_ms, seen_mono_ms FROM staff_sessions";
const READ_FAILURES: &str = "SELECT subject, count, boot, mono_ms FROM staff_failures";
const WRITE_ACCOUNT: &str = "INSERT OR REPLACE INTO staff_accounts \
     (id, login, name, role, password, staff) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const DROP_ACCOUNT: &str = "DELETE FROM staff_accounts WHERE id = ?1";
const WRITE_SESSION: &str = "INSERT OR REPLACE INTO staff_sessions \
     (token, account, boot, began_mono_ms, seen_mono_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
const DROP_SESSION: &str = "DELETE FROM staff_sessions WHERE token = ?1";
const WRITE_FAILURE: &str = "INSERT OR REPLACE INTO staff_failures \
     (subject, count, boot, mono_ms) VALUES (?1, ?2, ?3, ?4)";
const DROP_FAILURE: &str = "DELETE FROM staff_failures WHERE subject = ?1";
const READ_STAFF: &str = "SELECT item FROM roster WHERE generation = ?1 AND kind = ?2 LIMIT 1000";

/// For the test that all statements fit the schema.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 10] = [
    READ_ACCOUNTS,
    READ_SESSIONS,
    READ_FAILURES,
    WRITE_ACCOUNT,
    DROP_ACCOUNT,
    WRITE_SESSION,
    DROP_SESSION,
    WRITE_FAILURE,
    DROP_FAILURE,
    READ_STAFF,
];

impl Registry {
    /// Everything about the staff page's sign-in.
    pub async fn staff_rows(&self) -> Result<StaffRows> {
        let read = |db: &mut Connection| {
            Ok(StaffRows {
                accounts: rows(db, READ_ACCOUNTS, account)?,
                sessions: rows(db, READ_SESSIONS, session)?,
                failures: rows(db, READ_FAILURES, failure)?,
            })
        };
        self.0.store.call(read).await
    }

    /// Adds or replaces an account.
    pub async fn put_staff_account(&self, row: AccountRow) -> Result<()> {
        let write = move |db: &mut Connection| {
            db.prepare_cached(WRITE_ACCOUNT)?
                .execute(params![
                    row.id.as_bytes(),
                    row.name.to_lowercase(),
                    row.name,
                    row.role,
                    row.password.as_str(),
                    row.staff.map(|staff| *staff.0.as_bytes()),
                ])
                .map(drop)
        };
        self.0.store.call(write).await
    }

    /// Removes an account.
    pub async fn drop_staff_account(&self, id: Uuid) -> Result<()> {
        self.0.store.call(move |db| db.execute(DROP_ACCOUNT, [id.as_bytes()]).map(drop)).await
    }

    /// Adds or replaces a session, and removes others.
    pub async fn put_staff_session(&self, row: SessionRow, ended: Vec<[u8; 32]>) -> Result<()> {
        let write = move |db: &mut Connection| {
            let tx = db.transaction()?;
            for token in ended {
                tx.prepare_cached(DROP_SESSION)?.execute([token])?;
            }
            tx.prepare_cached(WRITE_SESSION)?.execute(params![
                row.token,
                row.account.as_bytes(),
                row.boot.cast_signed(),
                row.began_mono_ms.cast_signed(),
                row.seen_mono_ms.cast_signed(),
            ])?;
            tx.commit()
        };
        self.0.store.call(write).await
    }

    /// Removes sessions.
    pub async fn drop_staff_sessions(&self, ended: Vec<[u8; 32]>) -> Result<()> {
        let write = move |db: &mut Connection| {
            let tx = db.transaction()?;
            for token in ended {
                tx.prepare_cached(DROP_SESSION)?.execute([token])?;
            }
            tx.commit()
        };
        self.0.store.call(write).await
    }

    /// Writes counts of failures and removes others.
    pub async fn keep_staff_failures(
        &self,
        counted: Vec<FailureRow>,
        forgotten: Vec<[u8; 32]>,
    ) -> Result<()> {
        let write = move |db: &mut Connection| {
            let tx = db.transaction()?;
            for row in counted {
                let (boot, mono_ms) = (row.boot.cast_signed(), row.mono_ms.cast_signed());
                let values = params![row.subject, row.count, boot, mono_ms];
                tx.prepare_cached(WRITE_FAILURE)?.execute(values)?;
            }
            for subject in forgotten {
                tx.prepare_cached(DROP_FAILURE)?.execute([subject])?;
            }
            tx.commit()
        };
        self.0.store.call(write).await
    }

    /// Who works in the branch by the cloud's word.
    pub async fn cloud_staff(&self) -> Result<Vec<StaffRecord>> {
        let read = |db: &mut Connection| {
            let generation = tables::Progress::read(db)?.generation;
            let kind = RosterKind::Staff.number();
            let mut statement = db.prepare_cached(READ_STAFF)?;
            let items = statement.query_map(params![generation, kind], |row| row.get(0))?;
            items.collect::<rusqlite::Result<Vec<Vec<u8>>>>()
        };
        let items = self.0.store.call(read).await?;
        let kind = RosterKind::Staff.number();
        let records = items.iter().filter_map(|item| match RosterItem::decode(kind, item) {
            Ok(RosterItem::Staff(record)) => Some(record),
            _ => None,
        });
        let mut records: Vec<_> = records.collect();
        records.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(records)
    }
}

fn rows<T>(
    db: &Connection,
    sql: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([], read)?;
    rows.collect()
}

fn account(row: &Row<'_>) -> rusqlite::Result<AccountRow> {
    let staff: Option<[u8; 16]> = row.get(4)?;
    Ok(AccountRow {
        id: Uuid::from_bytes(row.get(0)?),
        name: row.get(1)?,
        role: row.get(2)?,
        password: Zeroizing::new(row.get(3)?),
        staff: staff.map(|id| UserId(Uuid::from_bytes(id))),
    })
}

fn session(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        token: row.get(0)?,
        account: Uuid::from_bytes(row.get(1)?),
        boot: row.get::<_, i64>(2)?.cast_unsigned(),
        began_mono_ms: row.get::<_, i64>(3)?.cast_unsigned(),
        seen_mono_ms: row.get::<_, i64>(4)?.cast_unsigned(),
    })
}

fn failure(row: &Row<'_>) -> rusqlite::Result<FailureRow> {
    Ok(FailureRow {
        subject: row.get(0)?,
        count: row.get(1)?,
        boot: row.get::<_, i64>(2)?.cast_unsigned(),
        mono_ms: row.get::<_, i64>(3)?.cast_unsigned(),
    })
}
