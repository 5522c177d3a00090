//! The statements of `branch.db`, in units of work that are short enough for others to wait behind.

use protocol::ids::{Code, DeviceId};
use protocol::sync::changes::{Change, DeviceRecord};
use protocol::sync::entry::DeviceKind;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, Transaction, params};
use uuid::Uuid;

const READ_META: &str = "SELECT value FROM meta WHERE key = ?1";
const WRITE_META: &str =
    "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
const WRITE_DEVICE: &str =
    "INSERT OR REPLACE INTO devices (generation, id, record) VALUES (?1, ?2, ?3)";
const DROP_DEVICE: &str = "DELETE FROM devices WHERE generation = ?1 AND id = ?2";
const READ_DEVICES: &str = "SELECT record FROM devices WHERE generation = ?1 ORDER BY id";
const WRITE_SETTING: &str =
    "INSERT OR REPLACE INTO settings (generation, key, value) VALUES (?1, ?2, ?3)";
const DROP_SETTING: &str = "DELETE FROM settings WHERE generation = ?1 AND key = ?2";
const READ_SETTINGS: &str = "SELECT key, value FROM settings WHERE generation = ?1";
const WRITE_ROSTER: &str =
    "INSERT OR REPLACE INTO roster (generation, kind, id, item) VALUES (?1, ?2, ?3, ?4)";
const DROP_ROSTER: &str = "DELETE FROM roster WHERE generation = ?1 AND kind = ?2 AND id = ?3";
const WRITE_LOCAL: &str = "INSERT OR REPLACE INTO local_devices \
     (id, code, kind, base_secret, secret, revoked, passed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const DROP_LOCAL: &str = "DELETE FROM local_devices WHERE id = ?1";
const READ_LOCAL: &str =
    "SELECT id, code, kind, base_secret, secret, revoked, passed FROM local_devices";
const STALE: [&str; 3] = [
    "DELETE FROM devices WHERE (generation, id) IN \
     (SELECT generation, id FROM devices WHERE generation NOT IN (?1, ?2) LIMIT 500)",
    "DELETE FROM settings WHERE (generation, key) IN \
     (SELECT generation, key FROM settings WHERE generation NOT IN (?1, ?2) LIMIT 500)",
    "DELETE FROM roster WHERE (generation, kind, id) IN \
     (SELECT generation, kind, id FROM roster WHERE generation NOT IN (?1, ?2) LIMIT 500)",
];

/// How far the branch's copy is, and which snapshot is being built up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Progress {
    /// The set of rows that counts.
    pub generation: i64,
    /// The version it stands for.
    pub cursor: u64,
    /// The set of rows that will count when its snapshot is whole, and how far it is.
    pub staged: Option<(i64, u64)>,
}

impl Progress {
    /// The version to ask changes from.
    pub(super) fn ask_from(&self) -> u64 {
        self.staged.map_or(self.cursor, |(_, cursor)| cursor)
    }

    /// The set of rows that the next changes go to.
    pub(super) fn target(&self) -> i64 {
        self.staged.map_or(self.generation, |(generation, _)| generation)
    }

    pub(super) fn read(db: &Connection) -> Result<Self> {
        let staging = read_meta(db, "staging")?;
        Ok(Self {
            generation: read_meta(db, "generation")?,
            cursor: read_meta(db, "cursor")?.cast_unsigned(),
            staged: match staging {
                0 => None,
                generation => Some((generation, read_meta(db, "staged")?.cast_unsigned())),
            },
        })
    }

    pub(super) fn write(&self, db: &Connection) -> Result<()> {
        let (staging, staged) = self.staged.unwrap_or_default();
        write_meta(db, "generation", self.generation)?;
        write_meta(db, "cursor", self.cursor.cast_signed())?;
        write_meta(db, "staging", staging)?;
        write_meta(db, "staged", staged.cast_signed())
    }
}

/// What was done at the branch and the cloud has not taken over yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LocalDevice {
    pub id: DeviceId,
    pub code: Code,
    pub kind: DeviceKind,
    /// The cloud's secret when it was done; it counts as long as that is still so.
    pub base_secret: Option<[u8; 32]>,
    pub secret: Option<[u8; 32]>,
    pub is_revoked: bool,
    /// Secrets that were replaced at the branch since, the oldest first: the cloud may still hear of them.
    pub passed: Vec<Option<[u8; 32]>>,
}

impl LocalDevice {
    /// Whether what was done here counts, though the cloud says that this is the secret.
    pub(super) fn holds_over(&self, cloud: Option<[u8; 32]>) -> bool {
        cloud == self.base_secret || self.passed.contains(&cloud)
    }
}

pub(super) fn read_meta(db: &Connection, key: &str) -> Result<i64> {
    let value = db.prepare_cached(READ_META)?.query_row([key], |row| row.get(0)).optional()?;
    Ok(value.unwrap_or(0))
}

pub(super) fn write_meta(db: &Connection, key: &str, value: i64) -> Result<()> {
    db.prepare_cached(WRITE_META)?.execute(params![key, value]).map(drop)
}

/// Writes one change into a set of rows. Keys of the cloud are not kept here.
pub(super) fn apply(tx: &Transaction<'_>, generation: i64, change: &Change) -> Result<()> {
    match change {
        Change::Device(record) => {
            let json = serde_json::to_string(record).map_err(unwritable)?;
            let id = record.id.0.as_bytes().as_slice();
            tx.prepare_cached(WRITE_DEVICE)?.execute(params![generation, id, json])
        }
        Change::DeviceRemoved(id) => {
            drop_local(tx, *id)?;
            let id = id.0.as_bytes().as_slice();
            tx.prepare_cached(DROP_DEVICE)?.execute(params![generation, id])
        }
        Change::Setting { key, value } => {
            tx.prepare_cached(WRITE_SETTING)?.execute(params![generation, key, value])
        }
        Change::SettingRemoved(key) => {
            tx.prepare_cached(DROP_SETTING)?.execute(params![generation, key])
        }
        Change::Roster { kind, id, item } if item.is_empty() => {
            tx.prepare_cached(DROP_ROSTER)?.execute(params![generation, kind, id.as_slice()])
        }
        Change::Roster { kind, id, item } => {
            tx.prepare_cached(WRITE_ROSTER)?.execute(params![generation, kind, id.as_slice(), item])
        }
        Change::CloudKey(_) | Change::CloudKeyRemoved(_) => Ok(0),
    }
    .map(drop)
}

/// Deletes some rows of sets that count no more; says whether there may be others.
pub(super) fn sweep(db: &Connection, progress: Progress) -> Result<bool> {
    let mut deleted = 0;
    for statement in STALE {
        deleted += db
            .prepare_cached(statement)?
            .execute(params![progress.generation, progress.target()])?;
    }
    Ok(deleted > 0)
}

pub(super) fn devices(db: &Connection, generation: i64) -> Result<Vec<DeviceRecord>> {
    let mut statement = db.prepare_cached(READ_DEVICES)?;
    let rows = statement.query_map([generation], |row| {
        let json: String = row.get(0)?;
        serde_json::from_str(&json).map_err(|error| unreadable(0, error))
    })?;
    rows.collect()
}

pub(super) fn settings(db: &Connection, generation: i64) -> Result<Vec<(String, String)>> {
    let mut statement = db.prepare_cached(READ_SETTINGS)?;
    let rows = statement.query_map([generation], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

pub(super) fn write_local(db: &Connection, local: &LocalDevice) -> Result<()> {
    let kind = serde_json::to_string(&local.kind).map_err(unwritable)?;
    db.prepare_cached(WRITE_LOCAL)?
        .execute(params![
            local.id.0.as_bytes().as_slice(),
            local.code.as_str(),
            kind,
            local.base_secret,
            local.secret,
            local.is_revoked,
            packed(&local.passed),
        ])
        .map(drop)
}

pub(super) fn drop_local(db: &Connection, id: DeviceId) -> Result<()> {
    db.prepare_cached(DROP_LOCAL)?.execute([id.0.as_bytes().as_slice()]).map(drop)
}

/// Forgets what was done at the branch and the cloud has answered with a secret of its own.
pub(super) fn drop_settled(db: &Connection, generation: i64) -> Result<()> {
    let cloud = devices(db, generation)?;
    for local in local_devices(db)? {
        let answered = |device: &&DeviceRecord| {
            device.id == local.id && !local.holds_over(device.secret_sha256)
        };
        if cloud.iter().any(|device| answered(&device)) {
            drop_local(db, local.id)?;
        }
    }
    Ok(())
}

pub(super) fn local_devices(db: &Connection) -> Result<Vec<LocalDevice>> {
    let mut statement = db.prepare_cached(READ_LOCAL)?;
    let rows = statement.query_map([], local_device)?;
    rows.collect()
}

fn local_device(row: &Row<'_>) -> Result<LocalDevice> {
    let id: [u8; 16] = row.get(0)?;
    let code: String = row.get(1)?;
    let kind: String = row.get(2)?;
    Ok(LocalDevice {
        id: DeviceId(Uuid::from_bytes(id)),
        code: Code::try_from(code).map_err(|error| unreadable(1, error))?,
        kind: serde_json::from_str(&kind).map_err(|error| unreadable(2, error))?,
        base_secret: row.get(3)?,
        secret: row.get(4)?,
        is_revoked: row.get(5)?,
        passed: unpacked(&row.get::<_, Vec<u8>>(6)?),
    })
}

fn packed(secrets: &[Option<[u8; 32]>]) -> Vec<u8> {
    let each = |secret: &Option<[u8; 32]>| {
        let mut bytes = vec![u8::from(secret.is_some())];
        bytes.extend(secret.unwrap_or_default());
        bytes
    };
    secrets.iter().flat_map(each).collect()
}

fn unpacked(bytes: &[u8]) -> Vec<Option<[u8; 32]>> {
    let each = bytes.chunks_exact(33).filter_map(|bytes| {
        let secret = <[u8; 32]>::try_from(&bytes[1..]).ok()?;
        Some((bytes[0] == 1).then_some(secret))
    });
    each.collect()
}

fn unreadable(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

fn unwritable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::super::{roster, staff};
    use super::*;

    #[test]
    fn every_statement_fits_the_schema() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("../../migrations/branch_0001_registry.sql")).unwrap();
        db.execute_batch(include_str!("../../migrations/branch_0002_card_counters.sql")).unwrap();
        db.execute_batch(include_str!("../../migrations/branch_0003_staff.sql")).unwrap();
        db.execute_batch(include_str!("../../migrations/branch_0004_passed_secrets.sql")).unwrap();
        let statements = [
            READ_META,
            WRITE_META,
            WRITE_DEVICE,
            DROP_DEVICE,
            READ_DEVICES,
            WRITE_SETTING,
            DROP_SETTING,
            READ_SETTINGS,
            WRITE_ROSTER,
            DROP_ROSTER,
            WRITE_LOCAL,
            DROP_LOCAL,
            READ_LOCAL,
            roster::READ_ROSTER,
            roster::READ_COUNTERS,
            roster::WRITE_COUNTER,
        ];

        let refused: Vec<_> = statements
            .iter()
            .chain(&STALE)
            .chain(&staff::STATEMENTS)
            .filter_map(|sql| db.prepare(sql).err())
            .collect();

        assert!(refused.is_empty(), "{refused:?}");
    }
}
