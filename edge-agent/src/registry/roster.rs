//! The roster in memory, kept in step with `branch.db`; when the cloud last confirmed it; and the second memory of
//! counters of cards.

use super::Registry;
use super::tables;
use crate::access::{Roster, View};
use anyhow::Result;
use protocol::ids::MemberId;
use protocol::sync::changes::Change;
use protocol::sync::roster::{RosterItem, RosterKind};
use rusqlite::{Connection, params};

/// Items read in one unit of work; everything else that wants `branch.db` waits for one of them.
const PAGE: i64 = 2_000;
/// The moment of the last confirmation is written this seldom; a start believes it to be that much older.
const CONFIRMED_EVERY_MS: i64 = 60_000;
const CONFIRMED: &str = "roster_confirmed_ms";

pub(super) const READ_ROSTER: &str = "SELECT kind, id, item FROM roster \
     WHERE generation = ?1 AND (kind, id) > (?2, ?3) ORDER BY kind, id LIMIT ?4";
pub(super) const READ_COUNTERS: &str = "SELECT card, counter FROM card_counters";
pub(super) const WRITE_COUNTER: &str = "INSERT INTO card_counters (card, counter) VALUES (?1, ?2) \
     ON CONFLICT (card) DO UPDATE SET counter = max(counter, ?2)";

type Item = (u8, [u8; 16], Vec<u8>);

impl Registry {
    /// The roster.
    pub fn roster(&self) -> &Roster {
        &self.0.roster
    }

    /// Reads the roster from `branch.db`, aside, and puts it in the place of the one in memory.
    pub async fn load_roster(&self) -> Result<()> {
        let generation = self.progress().await?.generation;
        let mut view = View::default();
        let mut last = (0, [0; 16]);
        loop {
            let page = self.0.store.call(move |db| read_page(db, generation, last)).await?;
            let Some((kind, id, _)) = page.last() else { break };
            last = (*kind, *id);
            for (kind, id, item) in &page {
                view.apply(*kind, *id, item);
            }
        }
        let members = view.members();
        self.0.roster.replace(view);
        let confirmed_ms = self.0.store.call(|db| tables::read_meta(db, CONFIRMED)).await?;
        if self.0.roster.confirmed_ms().is_none() && confirmed_ms > 0 {
            self.0.roster.confirm(confirmed_ms);
        }
        tracing::info!(members, "the roster is loaded");
        Ok(())
    }

    /// Takes over the roster's part of changes that are on disk.
    pub(super) fn follow_roster(&self, changes: &[Change]) {
        self.0.roster.apply(changes.iter().filter_map(|change| match change {
            Change::Roster { kind, id, item } => Some((*kind, *id, item.as_slice())),
            _ => None,
        }));
    }

    /// Id, number and name of every member, out of `branch.db` in short units of work.
    pub async fn member_names(&self) -> Result<Vec<(MemberId, u64, String)>> {
        let generation = self.progress().await?.generation;
        let kind = RosterKind::Member.number();
        let (mut names, mut last) = (Vec::new(), (kind, [0; 16]));
        loop {
            let page = self.0.store.call(move |db| read_page(db, generation, last)).await?;
            let Some((_, id, _)) = page.last() else { return Ok(names) };
            last = (kind, *id);
            for (kind_of, _, item) in &page {
                if *kind_of != kind {
                    return Ok(names);
                }
                if let Ok(RosterItem::Member(member)) = RosterItem::decode(kind, item) {
                    names.push((member.id, member.member_no, member.display_name));
                }
            }
        }
    }

    /// The cloud has nothing that is not in the roster.
    pub async fn confirm_roster(&self, now_ms: i64) -> Result<()> {
        let former = self.0.roster.confirm(now_ms);
        let written_ms = former.unwrap_or(i64::MIN) / CONFIRMED_EVERY_MS;
        if written_ms == now_ms / CONFIRMED_EVERY_MS {
            return Ok(());
        }
        self.0.store.call(move |db| tables::write_meta(db, CONFIRMED, now_ms)).await
    }

    /// Counters of cards that were used, as far as they were kept.
    pub async fn card_counters(&self) -> Result<Vec<([u8; 32], u32)>> {
        let read = |db: &mut Connection| {
            let mut statement = db.prepare(READ_COUNTERS)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        self.0.store.call(read).await
    }

    /// Keeps counters of cards that were used.
    pub async fn keep_card_counters(&self, counters: Vec<([u8; 32], u32)>) -> Result<()> {
        let write = move |db: &mut Connection| {
            let tx = db.transaction()?;
            for (card, counter) in &counters {
                tx.prepare_cached(WRITE_COUNTER)?.execute(params![card, counter])?;
            }
            tx.commit()
        };
        self.0.store.call(write).await
    }
}

fn read_page(
    db: &mut Connection,
    generation: i64,
    (kind, id): (u8, [u8; 16]),
) -> rusqlite::Result<Vec<Item>> {
    let mut statement = db.prepare_cached(READ_ROSTER)?;
    let rows = statement.query_map(params![generation, kind, id, PAGE], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    rows.collect()
}
