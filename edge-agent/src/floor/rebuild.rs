//! Rows of the floor that cannot be read are worked out anew from what the journal still holds. A stay whose beginning was
//! sent and deleted already is lost with its row; staff are told that rows were lost.

use super::line::Line;
use protocol::ids::{BranchId, DeviceId, SetId};
use protocol::rules::{Deed, Fact, FactKey, Row, Rules, State, deeds_of};
use protocol::sync::entry::Event;
use protocol::time::Stamp;
use std::collections::VecDeque;
use uuid::Uuid;

/// Nothing on the floor is as old as so many deeds.
const MAX_DEEDS: usize = 20_000;

/// Which rows are lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Lost {
    /// None.
    #[default]
    Nothing,
    /// These.
    Rows(Vec<(u8, [u8; 16])>),
    /// The whole table.
    Everything,
}

/// What the journal still tells of.
#[derive(Debug, Default)]
pub struct Told(VecDeque<(Stamp, Deed)>);

impl Told {
    /// Takes in an entry; in their order.
    pub fn take_in(&mut self, event: &Event) {
        let machine = event.source.device().unwrap_or(DeviceId(Uuid::nil()));
        for deed in deeds_of(machine, &event.body, SetId(Uuid::nil())) {
            if self.0.len() == MAX_DEEDS {
                self.0.pop_front();
            }
            self.0.push_back((event.stamp, deed));
        }
    }

    /// What it comes to. Of a start of the computer that knew no time, deeds count as done right after those before.
    pub fn fold(&self, rules: &Rules, branch: BranchId, line: Option<Line>) -> State {
        let mut state = State::default();
        let mut last_ms = i64::MIN;
        for (stamp, deed) in &self.0 {
            let on_line = line.filter(|line| line.is_of(stamp.boot));
            let by_wall = stamp.synced.then_some(stamp.wall_ms);
            let at_ms = on_line.map(|line| line.at(stamp.mono_ms)).or(by_wall);
            last_ms = last_ms.max(at_ms.unwrap_or(last_ms));
            let key = FactKey::at_branch(last_ms);
            state.step(rules, &Fact { key, branch, deed: deed.clone() });
        }
        state
    }
}

/// Puts into a state the rows that were lost, as they were worked out anew. How many there are.
pub fn mend(state: &mut State, lost: &Lost, anew: &State) -> usize {
    let is_wanted = |row: &Row| match lost {
        Lost::Nothing => false,
        Lost::Rows(rows) => rows.contains(&(row.kind, row.id)),
        Lost::Everything => true,
    };
    let rows = anew.rows_since(&State::default());
    let rows = rows.iter().filter(|row| is_wanted(row));
    rows.filter(|row| state.take_row(row.kind, row.id, &row.value).is_ok()).count()
}
