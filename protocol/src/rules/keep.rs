//! A state as rows, to be kept where only what changed is written: one row for a stay, one for a machine.

use super::{Link, Machine, Rules, Session, State};
use crate::ids::{BranchId, DeviceId, LinkId, MemberId, SessionId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use uuid::Uuid;

const VERSION: u8 = 1;
const SESSION: u8 = 1;
const MACHINE: u8 = 2;
const RECENT: u8 = 3;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is about: below 10.
    pub kind: u8,
    /// Which one.
    pub id: [u8; 16],
    /// Its content; empty when it is gone.
    pub value: Vec<u8>,
}

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Of another version, or about something else.
    #[error("a row of kind {0} is not known")]
    Unknown(u8),
    /// Its bytes do not decode.
    #[error("a row is malformed: {0}")]
    Malformed(String),
}

impl State {
    /// The rows in which this state differs from a former one.
    pub fn rows_since(&self, former: &Self) -> Vec<Row> {
        let mut rows = Vec::new();
        differences(SESSION, &former.sessions, &self.sessions, |id| id.0, &mut rows);
        differences(MACHINE, &former.machines, &self.machines, |id| id.0, &mut rows);
        differences(RECENT, &former.recent, &self.recent, |id| id.0, &mut rows);
        rows
    }

    /// Takes over a row that is not empty.
    pub fn take_row(&mut self, kind: u8, id: [u8; 16], value: &[u8]) -> Result<(), RowError> {
        let id = Uuid::from_bytes(id);
        match kind {
            SESSION => self.sessions.insert(MemberId(id), decode(kind, value)?).map(drop),
            MACHINE => self.machines.insert(DeviceId(id), decode(kind, value)?).map(drop),
            RECENT => self.recent.insert(MemberId(id), decode(kind, value)?).map(drop),
            _ => return Err(RowError::Unknown(kind)),
        };
        Ok(())
    }

    /// Goes on at this moment, after rows were taken over.
    pub fn resume(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
    }

    /// The part of one branch.
    #[must_use]
    pub fn of_branch(&self, branch: BranchId) -> Self {
        let mut part = self.clone();
        part.sessions.retain(|_, session| session.branch == branch);
        part.machines.retain(|_, machine| machine.branch == branch);
        part.recent.retain(|_, recent| recent.branch == branch);
        part
    }

    /// Takes over a stay that is known elsewhere, unless its member is inside.
    pub fn adopt_session(
        &mut self,
        rules: &Rules,
        branch: BranchId,
        (id, member, since_ms): (SessionId, MemberId, i64),
    ) {
        let (ends_by_ms, ends_at_closing) = rules.end_of_stay(branch, since_ms);
        let claims = vec![id];
        self.sessions.entry(member).or_insert(Session {
            id,
            claims,
            branch,
            since_ms,
            ends_by_ms,
            ends_at_closing,
        });
    }

    /// Takes over a link that is known elsewhere, if its member is inside and both are free. Whether it was taken over.
    pub fn adopt_link(
        &mut self,
        branch: BranchId,
        machine: DeviceId,
        (id, member, since_ms): (LinkId, MemberId, i64),
    ) -> bool {
        let is_free = self.machine(machine).is_none_or(|place| place.link.is_none());
        if !is_free || !self.is_inside(member, branch) || self.machine_of(member).is_some() {
            return false;
        }
        let active_ms = self.now_ms.max(since_ms);
        let place = self.machines.entry(machine).or_insert_with(|| Machine::new(branch));
        place.link = Some(Link { id, claims: vec![id], member, since_ms, active_ms });
        true
    }

    /// Moves everything that was noted at `from_ms` or later by so many milliseconds: the clock had been wrong.
    pub fn shift(&mut self, rules: &Rules, from_ms: i64, by_ms: i64) {
        let shift = |at_ms: &mut i64| {
            let is_moved = *at_ms >= from_ms;
            if is_moved {
                *at_ms = at_ms.saturating_add(by_ms);
            }
            is_moved
        };
        for session in self.sessions.values_mut() {
            if shift(&mut session.since_ms) {
                (session.ends_by_ms, session.ends_at_closing) =
                    rules.end_of_stay(session.branch, session.since_ms);
            }
        }
        for machine in self.machines.values_mut() {
            if let Some(link) = &mut machine.link {
                shift(&mut link.since_ms);
                shift(&mut link.active_ms);
            }
            if let Some(offer) = &mut machine.offer {
                shift(&mut offer.until_ms);
            }
            if let Some((_, at_ms)) = &mut machine.returned {
                shift(at_ms);
            }
        }
        for recent in self.recent.values_mut() {
            shift(&mut recent.at_ms);
        }
        shift(&mut self.now_ms);
    }
}

fn differences<Id: Ord + Copy, T: Serialize + PartialEq>(
    kind: u8,
    former: &BTreeMap<Id, T>,
    now: &BTreeMap<Id, T>,
    uuid: impl Fn(&Id) -> Uuid,
    rows: &mut Vec<Row>,
) {
    let changed = now.iter().filter(|(id, value)| former.get(*id) != Some(*value));
    rows.extend(changed.map(|(id, value)| {
        let mut bytes = vec![VERSION];
        // Plain data in memory always encodes.
        bytes.extend(postcard::to_allocvec(value).unwrap_or_default());
        Row { kind, id: uuid(id).into_bytes(), value: bytes }
    }));
    let gone = former.keys().filter(|id| !now.contains_key(*id));
    rows.extend(gone.map(|id| Row { kind, id: uuid(id).into_bytes(), value: Vec::new() }));
}

fn decode<T: DeserializeOwned>(kind: u8, value: &[u8]) -> Result<T, RowError> {
    match value.split_first() {
        Some((&VERSION, bytes)) => {
            postcard::from_bytes(bytes).map_err(|error| RowError::Malformed(error.to_string()))
        }
        _ => Err(RowError::Unknown(kind)),
    }
}
