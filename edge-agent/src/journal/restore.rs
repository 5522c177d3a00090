//! The writer's part of a salvage: changing over to a new file while running, and taking entries in.

use super::checkpoint::Checkpointer;
use super::commit::{put_mark, save_repeats};
use super::entry::Entry;
use super::epochs::{Epoch, Epochs};
use super::reader::lock;
use super::salvage::{self, Salvaged};
use super::schema;
use super::store::{Store, note_repeats};
use super::upkeep::Salvage;
use super::writer::Writer;
use anyhow::{Context, Result};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// The number of the file whose entries are being taken over; 0 if none.
pub const SALVAGING: &str = "salvaging";

impl Writer {
    /// The file is damaged: goes on with a new one. What waits for its commit waits on.
    pub(super) fn set_aside(&mut self, reason: &str) {
        tracing::error!(reason, "the journal is damaged and set aside");
        if let Err(error) = self.change_over() {
            self.stats.last_error = Some(format!("{error:#}"));
            tracing::error!(error = format!("{error:#}"), "no new journal can be made");
            return;
        }
        self.stats.set_aside += 1;
        self.notice("journal_set_aside", reason.to_owned());
    }

    fn change_over(&mut self) -> Result<()> {
        self.upkeep.stop();
        self.connection = Connection::open_in_memory()?;
        let aside = if self.path.exists() {
            Some(salvage::set_aside(&self.path).context("renaming a broken journal")?)
        } else {
            None
        };
        let old = lock(&self.epochs).clone();
        let highest = old.current().pos(old.current().last_seq);
        let number = aside.as_ref().map_or(0, |(_, number)| *number);
        let first_key = salvage::first_key(highest, number);
        let store = Store::fresh(&self.path, &self.config, old, first_key)?;
        self.connection = store.connection;
        // Not before the new file is in its place, or a read could open the old one anew.
        self.reader.reset();
        *lock(&self.epochs) = store.epochs;
        self.memory.unsaved();
        self.memory.devices.save_copy(&super::devices::copy_of(&self.path))?;
        let first_pos = lock(&self.epochs).current().first_pos;
        let waits = self.has_pending();
        let transaction = self.connection.transaction()?;
        self.memory.devices.save(&transaction)?;
        if !waits {
            self.memory.save(&transaction)?;
            save_repeats(&transaction, &self.memory, first_pos)?;
        }
        transaction.commit()?;
        if !waits {
            self.memory.saved();
            self.memory.repeats.saved();
        }
        let checkpointer = Checkpointer::start(self.path.clone(), self.config.synchronous)?;
        self.upkeep.start_anew(checkpointer, if waits { 0 } else { first_pos });
        match aside {
            Some((aside, number)) => self.salvage(&aside, number, Salvage::Runs),
            None => Ok(()),
        }
    }

    /// Before the first order: tells what was found, and starts to take over what was set aside.
    pub(super) fn begin(&mut self, notices: Vec<(&'static str, String)>, aside: Option<&Path>) {
        for (code, detail) in notices {
            self.notice(code, detail);
        }
        let salvage = aside.map(|aside| {
            let number = salvage::number_of(&self.path, aside).context("the file is gone")?;
            self.salvage(aside, number, Salvage::RunsWithRepeats)
        });
        if let Some(Err(error)) = salvage {
            tracing::error!(error = format!("{error:#}"), "the broken journal is not salvaged");
        }
        self.tidy_up_start();
    }

    /// Starts taking entries over.
    fn salvage(&mut self, aside: &Path, number: u64, kind: Salvage) -> Result<()> {
        put_mark(&self.connection, SALVAGING, number)?;
        self.upkeep.salvage = kind;
        salvage::start(aside.to_owned(), self.orders.clone()).context("starting the salvage")
    }

    /// Figures and limits that are worked out once.
    fn tidy_up_start(&mut self) {
        let rejects = self
            .connection
            .query_row(schema::COUNT_REJECTS, [], |row| row.get::<_, i64>(0))
            .unwrap_or(0);
        self.upkeep.rejects = rejects.max(0).cast_unsigned();
        self.publish_stats();
    }

    /// Takes entries in.
    pub(super) fn restore(&mut self, salvaged: Salvaged) {
        let result = match salvaged {
            Salvaged::Entries(entries) => self.restore_entries(&entries),
            Salvaged::Done { file, entries } => {
                self.upkeep.salvage = Salvage::None;
                self.upkeep.wants_snapshot = true;
                self.notice(
                    "journal_salvaged",
                    format!("{entries} entries were found in {}", file.display()),
                );
                put_mark(&self.connection, SALVAGING, 0)
            }
        };
        if let Err(error) = result {
            tracing::error!(%error, "entries of a broken journal are not taken over");
            self.stats.last_error = Some(error.to_string());
        }
    }

    fn restore_entries(&mut self, entries: &[Entry]) -> rusqlite::Result<()> {
        let mut epochs = lock(&self.epochs).clone();
        let current = epochs.current();
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut restored = 0;
        for entry in entries.iter().filter(|entry| entry.pos < current.first_pos) {
            let epoch = place(&mut epochs, entry);
            if entry.last_seq() <= epoch.acked_seq {
                continue;
            }
            epoch.last_seq = epoch.last_seq.max(entry.last_seq());
            epoch.save(&transaction)?;
            entry.insert(&mut transaction.prepare_cached(schema::RESTORE_ENTRY)?)?;
            restored += 1;
        }
        transaction.commit()?;
        if self.upkeep.salvage == Salvage::RunsWithRepeats {
            for entry in entries {
                note_repeats(entry, &mut self.memory);
            }
        }
        self.upkeep.wrote(entries.iter().map(|entry| entry.payload.len() as u64 + 256).sum());
        self.stats.salvaged += restored;
        *lock(&self.epochs) = epochs;
        Ok(())
    }
}

/// The epoch of an entry; one that nothing else is known of starts with it.
fn place<'a>(epochs: &'a mut Epochs, entry: &Entry) -> &'a mut Epoch {
    if epochs.find_mut(entry.epoch).is_none() {
        let first_pos = (entry.pos + 1).saturating_sub(entry.seq).max(1);
        let acked_seq = entry.seq - 1;
        let epoch = Epoch {
            ordinal: first_pos,
            epoch: entry.epoch,
            first_pos,
            last_seq: acked_seq,
            acked_seq,
        };
        let index = epochs.0.partition_point(|other| other.first_pos <= first_pos);
        epochs.0.insert(index.min(epochs.0.len() - 1), epoch);
    }
    epochs.find_mut(entry.epoch).expect("it was put in just now")
}
