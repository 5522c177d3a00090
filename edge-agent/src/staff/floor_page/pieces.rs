//! The floor in pieces, so that only those that changed are told again.

use crate::floor::{FloorView, MachineView};
use crate::staff::accounts::{Caller, Permission};
use crate::staff::app::Staff;
use crate::staff::machines::{figure, state_words};
use crate::staff::{chart, times};
use askama::Template;
use protocol::ids::DeviceId;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Points of a machine's small line, and how far it goes back.
const LINE_POINTS: usize = 24;
const LINE_MS: u64 = 180_000;

/// Who is inside.
#[derive(Template)]
#[template(path = "floor_inside.html")]
pub struct Inside {
    pub count: usize,
    pub people: Vec<Person>,
    /// May see who they are.
    pub may_name: bool,
    pub is_update: bool,
}

/// Somebody who is inside.
pub struct Person {
    pub id: String,
    pub name: String,
    pub since: String,
    pub until: String,
}

/// A machine.
#[derive(Template)]
#[template(path = "floor_tile.html")]
pub struct Tile {
    pub code: String,
    pub name: String,
    pub look: &'static str,
    pub words: String,
    pub holder: Option<String>,
    pub queue: usize,
    pub figure: Option<String>,
    pub line: String,
    pub is_update: bool,
}

impl Inside {
    /// Who is inside, with names for who may see them.
    pub fn of(staff: &Staff, caller: &Caller, seen: &FloorView) -> Self {
        let (zone, may_name) = (staff.access.zone(), caller.role.may(Permission::SeeMembers));
        let people = seen.sessions.iter().filter(|_| may_name).map(|session| Person {
            id: session.member.to_string(),
            name: known(&session.name),
            since: times::minute(&zone, session.since_ms),
            until: times::minute(&zone, session.ends_by_ms),
        });
        Self { count: seen.occupancy(), people: people.collect(), may_name, is_update: false }
    }
}

fn known(name: &str) -> String {
    if name.is_empty() { "A former member".to_owned() } else { name.to_owned() }
}

/// Every machine.
pub fn tiles(staff: &Staff, caller: &Caller, seen: &FloorView) -> Vec<Tile> {
    let ids: Vec<DeviceId> = seen.machines.iter().map(|machine| machine.id).collect();
    let since_ms = staff.watched.clock.mono_ms().saturating_sub(LINE_MS);
    let lines = staff.recent.lines(&ids, LINE_POINTS, since_ms);
    let may_name = caller.role.may(Permission::SeeMembers);
    seen.machines.iter().zip(lines).map(|(machine, line)| tile(machine, &line, may_name)).collect()
}

fn tile(machine: &MachineView, line: &[f64], may_name: bool) -> Tile {
    let (look, words) = state_words(machine);
    let named = |name: &str| if may_name { known(name) } else { "a member".to_owned() };
    let holder = match (&machine.link, &machine.offer) {
        (Some((_, name)), _) => Some(named(name)),
        (None, Some((_, name))) => Some(format!("kept for {}", named(name))),
        (None, None) => None,
    };
    Tile {
        code: machine.code.clone(),
        name: machine.name.clone(),
        look,
        words,
        holder,
        queue: machine.queue.len(),
        figure: machine.sample.as_ref().and_then(figure),
        line: chart::spark(line),
        is_update: false,
    }
}

/// What a listener was told last.
#[derive(Default)]
pub struct Pieces(HashMap<String, u64>);

impl Pieces {
    /// The pieces that are not as they were told; `None` if all are.
    pub fn changed(&mut self, staff: &Staff, caller: &Caller, seen: &FloorView) -> Option<String> {
        let inside = Inside { is_update: true, ..Inside::of(staff, caller, seen) };
        let mut told = self.if_new("inside", inside.render().ok()?);
        for mut tile in tiles(staff, caller, seen) {
            tile.is_update = true;
            told.push_str(&self.if_new(&tile.code, tile.render().ok()?));
        }
        Some(told).filter(|told| !told.is_empty())
    }

    fn if_new(&mut self, name: &str, html: String) -> String {
        let mut hasher = DefaultHasher::new();
        html.hash(&mut hasher);
        let hash = hasher.finish();
        if self.0.get(name) == Some(&hash) {
            return String::new();
        }
        self.0.insert(name.to_owned(), hash);
        html
    }
}
