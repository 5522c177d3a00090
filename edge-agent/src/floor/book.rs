//! What holds on the floor, kept in the journal's database: rows that a fact changed are written in its commit. So the
//! state after any end of the agent is that of the facts on disk, also of those that were sent and deleted.

use super::desk::BranchRules;
use super::line::{Line, Shift};
use super::local::Local;
use super::rebuild::{Lost, Told, mend};
use super::usual::LinkTimes;
use crate::access::View;
use crate::journal::{DELETE_FLOOR, FLOOR, PUT_FLOOR};
use protocol::rules::{Effect, State};
use protocol::time::Stamp;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

const LINE: u8 = 10;
const LINK_TIMES: u8 = 14;

/// The state, and what of it is on disk.
#[derive(Debug, Default)]
pub struct Book {
    /// Who is inside, who has which machine, who waits.
    pub state: State,
    /// What staff changed here.
    pub local: Local,
    /// How long machines were lent lately.
    pub link_times: LinkTimes,
    line: Option<Line>,
    saved: State,
    saved_local: BTreeMap<(u8, [u8; 16]), Vec<u8>>,
    saved_link_times: LinkTimes,
    /// The cloud has everything before this key of the journal.
    acked: u64,
    lost: Lost,
    told: Option<Told>,
    is_changed: bool,
}

impl Book {
    /// Lets the time pass until a stamp.
    pub fn follow(&mut self, rules: &BranchRules, stamp: Stamp, floor_ms: i64) -> Vec<Effect> {
        let former = self.line.map(|line| (line, self.state.now_ms()));
        let (line, shift) = Line::follow(former, stamp, floor_ms);
        self.line = Some(line);
        let rules = rules.on(self.line);
        if let Some(Shift { from_ms, by_ms }) = shift {
            self.state.shift(rules, from_ms, by_ms);
            self.is_changed = true;
        }
        let effects = self.state.advance(rules, line.at(stamp.mono_ms));
        self.is_changed |= !effects.is_empty();
        self.link_times.note(&effects);
        effects
    }

    /// Unix milliseconds of a monotonic time, as far as the floor knows.
    pub fn at(&self, mono_ms: u64) -> i64 {
        self.line.map_or(i64::MIN, |line| line.at(mono_ms))
    }

    /// Whether rows could not be read.
    pub fn is_damaged(&self) -> bool {
        self.lost != Lost::Nothing
    }

    /// Takes what the journal still tells of, to make lost rows anew as soon as the branch's rules are known.
    pub fn mend_by(&mut self, told: Told) {
        self.told = Some(told);
    }

    /// Makes lost rows anew.
    pub fn mend(&mut self, rules: &BranchRules) {
        let Some(told) = self.told.take() else { return };
        let lost = std::mem::take(&mut self.lost);
        let anew = told.fold(rules.on(self.line), rules.branch, self.line);
        let rows = mend(&mut self.state, &lost, &anew);
        self.state.resume(self.state.now_ms().max(anew.now_ms()));
        self.is_changed = true;
        tracing::error!(rows, "rows of the floor were lost and made anew from the journal");
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
    pub fn settle(&mut self, roster: &View, tellings: u64) {
        self.local.sent(self.acked, tellings);
        self.is_changed |= self.local.settle(roster, tellings);
    }

    /// Everything is journaled before one key, and the cloud has everything before another.
    pub fn journaled(&mut self, end: u64, acked: u64) {
        self.acked = acked;
        if !self.local.is_settled() {
            self.local.journaled(end);
        }
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
        if self.link_times != self.saved_link_times {
            let value = postcard::to_allocvec(&self.link_times).unwrap_or_default();
            put.execute(params![LINK_TIMES, [0_u8; 16], value])?;
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
            self.saved_link_times.clone_from(&self.link_times);
            self.is_changed = false;
        }
    }

    /// Everything has to be written anew.
    pub fn unsaved(&mut self) {
        self.saved = State::default();
        self.saved_local.clear();
        self.saved_link_times = LinkTimes::default();
        self.is_changed = true;
    }

    /// Takes over what a journal that was used meanwhile came to.
    pub fn become_like(&mut self, newer: &Self) {
        self.state.clone_from(&newer.state);
        self.local.clone_from(&newer.local);
        self.local.moved();
        self.link_times.clone_from(&newer.link_times);
        self.line = newer.line;
        self.is_changed = true;
    }

    /// Reads the table. A row that cannot be used is left out, and noted as lost.
    pub fn load(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let read = self.read(connection);
        if read.is_err() {
            self.lost = Lost::Everything;
        }
        read
    }

    fn read(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut lost = Vec::new();
        let mut statement = connection.prepare(FLOOR)?;
        let mut rows = statement.query([])?;
        let mut line = None;
        while let Some(row) = rows.next()? {
            let (kind, id, value): (u8, [u8; 16], Vec<u8>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            if kind == LINE {
                line = postcard::from_bytes::<(Line, i64)>(&value).ok();
            } else if kind == LINK_TIMES {
                self.link_times = postcard::from_bytes(&value).unwrap_or_default();
            } else if !self.local.take_row(kind, id, &value)
                && let Err(error) = self.state.take_row(kind, id, &value)
            {
                tracing::error!(kind, %error, "a row of the floor is not usable");
                // What a newer agent keeps there is no loss.
                if kind <= LINK_TIMES {
                    lost.push((kind, id));
                }
            }
        }
        if let Some((kept, now_ms)) = line {
            self.line = Some(kept);
            self.state.resume(now_ms);
        }
        if !lost.is_empty() {
            self.lost = Lost::Rows(lost);
        }
        self.is_changed = true;
        self.saved();
        Ok(())
    }
}
