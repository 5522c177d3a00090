//! Retained values: the last status of each device survives a restart of the agent.

use super::message::Publish;
use super::schema;
use bytes::Bytes;
use rusqlite::{Connection, params};
use std::collections::{BTreeSet, HashMap};

/// The values by topic, and which of them are not on disk yet. Topics come from a closed list, so this is bounded.
#[derive(Debug, Default)]
pub struct Retained {
    values: HashMap<String, Bytes>,
    changed: BTreeSet<String>,
}

impl Retained {
    /// Keeps the value of a publish that is to be retained.
    pub fn keep(&mut self, publish: &Publish) {
        if !publish.retain || self.values.get(&publish.topic) == Some(&publish.payload) {
            return;
        }
        if publish.payload.is_empty() {
            if self.values.remove(&publish.topic).is_none() {
                return;
            }
        } else {
            self.values.insert(publish.topic.clone(), publish.payload.clone());
        }
        self.changed.insert(publish.topic.clone());
    }

    /// Whether anything is not on disk yet.
    pub fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Writes what changed, as part of the caller's transaction.
    pub fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        for topic in &self.changed {
            match self.values.get(topic) {
                Some(payload) => connection
                    .prepare_cached(schema::PUT_RETAINED)?
                    .execute(params![topic, payload.as_ref()])?,
                None => connection.prepare_cached(schema::DELETE_RETAINED)?.execute([topic])?,
            };
        }
        Ok(())
    }

    /// The transaction is committed.
    pub fn saved(&mut self) {
        self.changed.clear();
    }

    /// Everything has to be written anew.
    pub fn unsaved(&mut self) {
        self.changed = self.values.keys().cloned().collect();
    }

    /// Reads the table.
    pub fn load(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(schema::RETAINED)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.values.insert(row.get(0)?, row.get::<_, Vec<u8>>(1)?.into());
        }
        Ok(())
    }

    /// All values, by topic.
    pub fn all(&self) -> Vec<(String, Bytes)> {
        let mut all: Vec<_> =
            self.values.iter().map(|(topic, payload)| (topic.clone(), payload.clone())).collect();
        all.sort_unstable();
        all
    }
}
