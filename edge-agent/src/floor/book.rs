//! What holds on the floor, kept in the journal's database: rows that a fact changed are written in its commit. So the
//! state after any end of the agent is that of the facts on disk, also of those that were sent and deleted.

use super::line::{Line, Shift};
use super::local::Local;
use crate::access::View;
use crate::journal::{DELETE_FLOOR, FLOOR, PUT_FLOOR};
use protocol::rules::{Effect, Rules, State};
use protocol::time::Stamp;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

const LINE: u8 = 10;

/// The state, and what of it is on disk.
#[derive(Debug, Default)]
pub struct Book {
    /// Who is inside, who has which machine, who waits.
    pub state: State,
    /// What staff changed here.
    pub local: Local,
    line: Option<Line>,
    saved: State,
    saved_local: BTreeMap<(u8, [u8; 16]), Vec<u8>>,
    is_changed: bool,
}

impl Book {
    /// Lets the time pass until a stamp.
    pub fn follow(&mut self, rules: &Rules, stamp: Stamp, floor_ms: i64) -> Vec<Effect> {
        let former = self.line.map(|line| (line, self.state.now_ms()));
        let (line, shift) = Line::follow(former, stamp, floor_ms);
        self.line = Some(line);
        if let Some(Shift { from_ms, by_ms }) = shift {
            self.state.shift(rules, from_ms, by_ms);
            self.is_changed = true;
        }
        let effects = self.state.advance(rules, line.at(stamp.mono_ms));
        self.is_changed |= !effects.is_empty();
        effects
    }

    /// Unix milliseconds of a monotonic time, as far as the floor knows.
    pub fn at(&self, mono_ms: u64) -> i64 {
        self.line.map_or(i64::MIN, |line| line.at(mono_ms))
    }

    /// How the floor's time goes on.
    pub fn line(&self) -> Option<Line> {
        self.line
    }

    /// Whether staff changed something that the cloud has not told back.
    pub fn has_local(&self) -> bool {
        !self.local.is_settled()
    }

    /// Forgets of staff's changes what the cloud has told back.
    pub fn settle(&mut self, roster: &View) {
        self.is_changed |= self.local.settle(roster);
    }

    /// Something is about to be changed.
    pub fn change(&mut self) -> (&mut State, &mut Local) {
        self.is_changed = true;
        (&mut self.state, &mut self.local)
    }

    /// Whether there is something to write.
    pub fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Writes what changed, as part of the caller's transaction.
    pub fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        if !self.is_changed {
            return Ok(());
        }
        let mut put = connection.prepare_cached(PUT_FLOOR)?;
        let mut delete = connection.prepare_cached(DELETE_FLOOR)?;
        for row in self.state.rows_since(&self.saved) {
            if row.value.is_empty() {
                delete.execute(params![row.kind, row.id])?;
            } else {
                put.execute(params![row.kind, row.id, row.value])?;
            }
        }
        let local = self.local.rows();
        for ((kind, id), value) in &local {
            if self.saved_local.get(&(*kind, *id)) != Some(value) {
                put.execute(params![kind, id, value])?;
            }
        }
        for (kind, id) in self.saved_local.keys().filter(|key| !local.contains_key(*key)) {
            delete.execute(params![kind, id])?;
        }
        if let Some(line) = self.line {
            let value = postcard::to_allocvec(&(line, self.state.now_ms())).unwrap_or_default();
            put.execute(params![LINE, [0_u8; 16], value])?;
        }
        Ok(())
    }

    /// The transaction is committed.
    pub fn saved(&mut self) {
        if self.is_changed {
            self.saved.clone_from(&self.state);
            self.saved_local = self.local.rows();
            self.is_changed = false;
        }
    }

    /// Everything has to be written anew.
    pub fn unsaved(&mut self) {
        self.saved = State::default();
        self.saved_local.clear();
        self.is_changed = true;
    }

    /// Takes over what a journal that was used meanwhile came to.
    pub fn become_like(&mut self, newer: &Self) {
        self.state.clone_from(&newer.state);
        self.local.clone_from(&newer.local);
        self.line = newer.line;
        self.is_changed = true;
    }

    /// Reads the table. A row that cannot be used is left out.
    pub fn load(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(FLOOR)?;
        let mut rows = statement.query([])?;
        let mut line = None;
        while let Some(row) = rows.next()? {
            let (kind, id, value): (u8, [u8; 16], Vec<u8>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            if kind == LINE {
                line = postcard::from_bytes::<(Line, i64)>(&value).ok();
            } else if !self.local.take_row(kind, id, &value)
                && let Err(error) = self.state.take_row(kind, id, &value)
            {
                tracing::error!(kind, %error, "a row of the floor is not usable");
            }
        }
        if let Some((kept, now_ms)) = line {
            self.line = Some(kept);
            self.state.resume(now_ms);
        }
        self.is_changed = true;
        self.saved();
        Ok(())
    }
}
