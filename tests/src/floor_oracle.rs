//! An oracle for stays and lent machines: all facts that the cloud has, folded at one go by the rules, against the rows that
//! the cloud came to step by step.

use anyhow::{Result, ensure};
use protocol::ids::BranchId;
use protocol::rules::{
    Deed, Effect, Fact, FactKey, LinkEnd, Origin, Rules, SessionEnd, State, fold,
};
use rusqlite::{Connection, OpenFlags};
use sqlx::{PgPool, Row as _};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use uuid::Uuid;

/// One entry can mean so many deeds.
const PARTS: u64 = 4;

/// Whose, from when, until when and why; Unix milliseconds.
pub type Row = (Uuid, i64, Option<(i64, String)>);

/// What facts come to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Floor {
    /// By id.
    pub sessions: BTreeMap<Uuid, Row>,
    /// By id.
    pub links: BTreeMap<Uuid, Row>,
    /// Member and link of those sets that are somebody's.
    pub sets: BTreeMap<Uuid, (Uuid, Uuid)>,
}

/// Folds everything anew and compares. Branches are to have the default settings.
pub async fn check(db: &PgPool) -> Result<()> {
    let (wanted, found) = (folded(db).await?, stored(db).await?);
    same("stay", &wanted.sessions, &found.sessions)?;
    same("link", &wanted.links, &found.links)?;
    same("set", &wanted.sets, &found.sets)
}

fn same<T: PartialEq + Debug>(
    what: &str,
    wanted: &BTreeMap<Uuid, T>,
    found: &BTreeMap<Uuid, T>,
) -> Result<()> {
    let other = wanted.iter().find(|(id, row)| found.get(*id) != Some(*row));
    let (id, row) = other.map_or((None, None), |(id, row)| (Some(id), Some(row)));
    let stored = id.and_then(|id| found.get(id));
    ensure!(other.is_none(), "{what} {id:?} comes to {row:?}, and stored is {stored:?}");
    let more = found.iter().find(|(id, _)| !wanted.contains_key(*id));
    ensure!(more.is_none(), "nothing comes to {what} {more:?}");
    Ok(())
}

/// What all facts that have a date come to at the moment of which the cloud's floor is.
pub async fn folded(db: &PgPool) -> Result<Floor> {
    let now_ms: Option<i64> =
        sqlx::query_scalar("SELECT max(now_ms) FROM floor_states").fetch_one(db).await?;
    let (rules, facts) = (Rules::default(), facts(db).await?);
    let mut folded = fold(&rules, &facts);
    let now_ms = now_ms.unwrap_or(i64::MIN).max(folded.state.now_ms());
    folded.effects.extend(folded.state.advance(&rules, now_ms));
    let mut floor = Floor::default();
    for effect in folded.effects {
        floor.take_in(&effect);
    }
    Ok(floor)
}

async fn facts(db: &PgPool) -> Result<Vec<Fact>> {
    let rows = sqlx::query(
        "SELECT edge_id, epoch, seq, part, branch_id, at_ms, deed FROM facts WHERE is_dated",
    );
    let mut facts = Vec::new();
    for row in rows.fetch_all(db).await? {
        let (epoch, seq, part): (i64, i64, i16) =
            (row.try_get("epoch")?, row.try_get("seq")?, row.try_get("part")?);
        let origin = Origin { id: row.try_get("edge_id")?, epoch: epoch.cast_unsigned() };
        let seq = seq.cast_unsigned() * PARTS + u64::from(part.cast_unsigned());
        let deed: &[u8] = row.try_get("deed")?;
        facts.push(Fact {
            key: FactKey { at_ms: row.try_get("at_ms")?, origin, seq },
            branch: BranchId(row.try_get("branch_id")?),
            deed: postcard::from_bytes::<Deed>(deed)?,
        });
    }
    Ok(facts)
}

impl Floor {
    fn take_in(&mut self, effect: &Effect) {
        match *effect {
            Effect::SessionStarted { session, member, since_ms, .. } => {
                self.sessions.insert(session.0, (member.0, since_ms, None));
            }
            Effect::SessionEnded { session, until_ms, why, .. } => {
                if let Some((_, _, end)) = self.sessions.get_mut(&session.0) {
                    *end = Some((until_ms, session_end(why).to_owned()));
                }
            }
            Effect::LinkStarted { link, member, since_ms, .. } => {
                self.links.insert(link.0, (member.0, since_ms, None));
            }
            Effect::LinkEnded { link, until_ms, why, .. } => {
                if let Some((_, _, end)) = self.links.get_mut(&link.0) {
                    *end = Some((until_ms, link_end(why).to_owned()));
                }
            }
            Effect::Attributed { set, owner: Some((member, link)), .. } => {
                self.sets.insert(set.0, (member.0, link.0));
            }
            _ => {}
        }
    }
}

fn session_end(why: SessionEnd) -> &'static str {
    match why {
        SessionEnd::CheckedOut => "checked_out",
        SessionEnd::TimeLimit => "time_limit",
        SessionEnd::Closing => "closing",
        SessionEnd::Elsewhere => "elsewhere",
        SessionEnd::Rejected => "rejected",
    }
}

fn link_end(why: LinkEnd) -> &'static str {
    match why {
        LinkEnd::Unlinked => "unlinked",
        LinkEnd::Idle => "idle",
        LinkEnd::Moved => "moved",
        LinkEnd::SessionEnded => "session_ended",
        LinkEnd::OutOfOrder => "out_of_order",
        LinkEnd::Rejected => "rejected",
    }
}

/// What holds at a branch, out of the state folder of an agent that does not run.
pub fn at_edge(state_dir: &Path) -> Result<State> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let journal = Connection::open_with_flags(state_dir.join("journal.db"), flags)?;
    let mut state = State::default();
    let mut statement = journal.prepare("SELECT kind, id, value FROM floor WHERE kind < 10")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        state.take_row(row.get(0)?, row.get(1)?, &row.get::<_, Vec<u8>>(2)?)?;
    }
    Ok(state)
}

/// What the cloud has stored.
pub async fn stored(db: &PgPool) -> Result<Floor> {
    let mut floor = Floor {
        sessions: spans(db, SESSIONS).await?,
        links: spans(db, LINKS).await?,
        sets: BTreeMap::new(),
    };
    let sets = "SELECT set_id, member_id, link_id FROM finished_sets
                WHERE set_id IS NOT NULL AND link_id IS NOT NULL";
    for row in sqlx::query(sets).fetch_all(db).await? {
        let owner = (row.try_get("member_id")?, row.try_get("link_id")?);
        floor.sets.insert(row.try_get("set_id")?, owner);
    }
    Ok(floor)
}

const SESSIONS: &str = "SELECT id, member_id, end_reason,
       (extract(epoch FROM started_at) * 1000)::bigint AS from_ms,
       (extract(epoch FROM ended_at) * 1000)::bigint AS until_ms FROM gym_sessions";
const LINKS: &str = "SELECT id, member_id, end_reason,
       (extract(epoch FROM started_at) * 1000)::bigint AS from_ms,
       (extract(epoch FROM ended_at) * 1000)::bigint AS until_ms FROM links";

async fn spans(db: &PgPool, sql: &'static str) -> Result<BTreeMap<Uuid, Row>> {
    let mut spans = BTreeMap::new();
    for row in sqlx::query(sql).fetch_all(db).await? {
        let until_ms: Option<i64> = row.try_get("until_ms")?;
        let why: Option<String> = row.try_get("end_reason")?;
        let span = (row.try_get("member_id")?, row.try_get("from_ms")?, until_ms.zip(why));
        spans.insert(row.try_get("id")?, span);
    }
    Ok(spans)
}
