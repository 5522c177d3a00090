//! One commit: the entries of a group and all that is durable with them, in one transaction.

use super::classes::Class;
use super::entry::Entry;
use super::epochs::Epoch;
use super::group::Group;
use super::intake::Memory;
use super::packing::pack;
use super::schema;
use protocol::time::Stamp;
use rusqlite::{Connection, TransactionBehavior, params};
use std::path::Path;

/// A group whose entries are packed. They get their places when they are written.
pub struct Sealed {
    /// Acks and followers.
    pub group: Group,
    entries: Vec<Entry>,
}

/// What a commit did.
#[derive(Debug, Default, Clone, Copy)]
pub struct Written {
    /// The last number that is committed now.
    pub last_seq: u64,
    /// Entries.
    pub entries: u64,
    /// Samples.
    pub samples: u64,
    /// About what the log grew by.
    pub bytes: u64,
}

/// Why a commit did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database would not.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    /// A file beside it could not be written.
    #[error("a file of the journal cannot be written: {0}")]
    File(#[from] std::io::Error),
}

impl Sealed {
    /// Packs a group.
    pub fn new(mut group: Group, memory: &Memory, stamp: Stamp) -> Self {
        memory.seal(&mut group);
        let mut digests = Some(std::mem::take(&mut group.digests)).filter(|list| !list.is_empty());
        let mut entries: Vec<_> = pack(&group.samples)
            .into_iter()
            .map(|(payload, count)| {
                unplaced(Class::Telemetry, stamp, count as u64, digests.take(), payload)
            })
            .collect();
        group.samples.clear();
        entries.extend(
            group
                .events
                .drain(..)
                .map(|event| unplaced(event.class, event.stamp, 1, event.digests, event.payload)),
        );
        Self { group, entries }
    }

    /// Writes everything behind the last entry of the epoch. With `snapshot`, the repeats are written too, which
    /// is right only if nothing was taken in since the group was sealed.
    pub fn write(
        &mut self,
        connection: &mut Connection,
        memory: &Memory,
        epoch: &Epoch,
        (snapshot, copy): (bool, &Path),
    ) -> Result<Written, StoreError> {
        memory.devices.save_copy(copy)?;
        let mut written =
            Written { last_seq: epoch.last_seq, bytes: COMMIT_BYTES, ..Written::default() };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut insert = transaction.prepare_cached(schema::INSERT_ENTRY)?;
        for entry in &mut self.entries {
            written.last_seq += 1;
            (entry.epoch, entry.seq) = (epoch.epoch, written.last_seq);
            entry.pos = epoch.pos(written.last_seq);
            entry.insert(&mut insert)?;
            written.entries += 1;
            written.bytes += entry.payload.len() as u64 + ENTRY_BYTES;
            written.samples += if entry.class == Class::Telemetry { entry.count } else { 0 };
        }
        drop(insert);
        memory.save(&transaction)?;
        if snapshot {
            save_repeats(&transaction, memory, epoch.pos(written.last_seq + 1))?;
        }
        transaction.commit()?;
        Ok(written)
    }

    /// Whether there is anything to write for these entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Writes what changed of the repeats. `behind` is the key of the first entry that is not part of it.
pub fn save_repeats(connection: &Connection, memory: &Memory, behind: u64) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached(schema::PUT_REPEATS)?;
    for (device, state) in memory.repeats.changed() {
        put.execute(params![device, state])?;
    }
    put_mark(connection, REPEATS_BEHIND, behind)
}

/// The first entry that is not part of the snapshot of repeats.
pub const REPEATS_BEHIND: &str = "repeats_behind";

/// Stores a number under a name.
pub fn put_mark(connection: &Connection, name: &str, value: u64) -> rusqlite::Result<()> {
    connection.prepare_cached(schema::PUT_MARK)?.execute(params![name, value.cast_signed()])?;
    Ok(())
}

/// Estimates of what the log grows by, to know when a checkpoint is due.
const COMMIT_BYTES: u64 = 3 * 1024;
const ENTRY_BYTES: u64 = 256;

fn unplaced(
    class: Class,
    stamp: Stamp,
    count: u64,
    digests: Option<Vec<u8>>,
    payload: Vec<u8>,
) -> Entry {
    Entry { pos: 0, class, epoch: 0, seq: 0, span: 1, stamp, count, missing: 0, digests, payload }
}
